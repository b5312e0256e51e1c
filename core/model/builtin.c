/* SPDX-License-Identifier: MIT
 *
 * The models that ship, as the text a user would write. */
#include "core/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TensorFlow's "Convolutional Neural Network (CNN)" tutorial for CIFAR-10: 122,570 parameters. */
static const char tutorial[] = "input 3 32 32\n"
                               "init glorot_uniform\n"
                               "conv 32 3x3\nrelu\nmaxpool 2\n"
                               "conv 64 3x3\nrelu\nmaxpool 2\n"
                               "conv 64 3x3\nrelu\n"
                               "flatten\ndense 64\nrelu\ndense 10\n";

/* Keras' example cifar10_cnn. */
static const char keras_cnn[] = "input 3 32 32\n"
                                "init glorot_uniform\n"
                                "conv 32 3x3 pad=same\nrelu\nconv 32 3x3\nrelu\n"
                                "maxpool 2\ndropout 0.25\n"
                                "conv 64 3x3 pad=same\nrelu\nconv 64 3x3\nrelu\n"
                                "maxpool 2\ndropout 0.25\n"
                                "flatten\ndense 512\nrelu\ndropout 0.5\ndense 10\n";

/* Six convolutions in the manner of VGG, with batch normalisation. */
static const char vgg6[] = "input 3 32 32\n"
                           "init torch\n"
                           "conv 64 3x3 pad=1 bias=0\nbatchnorm\nrelu\n"
                           "conv 64 3x3 pad=1 bias=0\nbatchnorm\nrelu\nmaxpool 2\n"
                           "conv 128 3x3 pad=1 bias=0\nbatchnorm\nrelu\n"
                           "conv 128 3x3 pad=1 bias=0\nbatchnorm\nrelu\nmaxpool 2\n"
                           "conv 256 3x3 pad=1 bias=0\nbatchnorm\nrelu\n"
                           "conv 256 3x3 pad=1 bias=0\nbatchnorm\nrelu\n"
                           "globalavgpool\ndense 10\n";

static const char mlp[] = "input 3 32 32\n"
                          "init he_normal\n"
                          "flatten\ndense 512\nrelu\ndense 256\nrelu\ndense 10\n";

/* He et al. 2015, section 4.2: CIFAR ResNet with parameter-free shortcuts (option A). */
static char *resnet(lehr_context *ctx, int blocks)
{
    lh_str s = {0};
    char before[32] = "relu0";
    int channels = 16;
    lh_str_add(&s, "input 3 32 32\ninit he_normal\n"
                   "conv1: conv 16 3x3 pad=1 bias=0\nbn1: batchnorm\nrelu0: relu\n");
    for (int stage = 1; stage <= 3; stage++) {
        int filters = 16 << (stage - 1);
        for (int b = 0; b < blocks; b++) {
            int stride = filters != channels ? 2 : 1;
            char name[32];
            snprintf(name, sizeof name, "layer%d.%d", stage, b);
            lh_str_printf(&s, "%s.conv1: conv %d 3x3 stride=%d pad=1 bias=0\n%s.bn1: batchnorm\n"
                              "%s.relu1: relu\n%s.conv2: conv %d 3x3 pad=1 bias=0\n"
                              "%s.bn2: batchnorm\n",
                          name, filters, stride, name, name, name, filters, name);
            if (stride == 2) {
                lh_str_printf(&s, "%s.shortcut: shortcut %d stride=2 from=%s\n", name, filters,
                              before);
                lh_str_printf(&s, "%s.add: add from=%s.bn2 with=%s.shortcut\n", name, name, name);
            } else {
                lh_str_printf(&s, "%s.add: add with=%s\n", name, before);
            }
            lh_str_printf(&s, "%s.relu2: relu\n", name);
            snprintf(before, sizeof before, "%.20s.relu2", name);
            channels = filters;
        }
    }
    lh_str_add(&s, "globalavgpool\nlinear: dense 10\n");
    if (s.failed) {
        lh_fail(ctx, LEHR_E_MEMORY, "out of memory for a model");
        lh_str_free(&s);
    }
    return s.text;
}

typedef struct builtin {
    const char *name, *text;
    int resnet_blocks;
} builtin;

static const builtin builtins[] = {
    {"tutorial", tutorial, 0}, {"keras-cnn", keras_cnn, 0}, {"vgg6", vgg6, 0},
    {"resnet20", NULL, 3},     {"resnet32", NULL, 5},       {"resnet56", NULL, 9},
    {"mlp", mlp, 0},
};

const char *lehr_model_builtin(uint32_t i)
{
    return i < LH_COUNT(builtins) ? builtins[i].name : NULL;
}

char *lh_model_builtin_text(lehr_context *ctx, const char *name)
{
    for (size_t i = 0; i < LH_COUNT(builtins); i++)
        if (strcmp(builtins[i].name, name) == 0)
            return builtins[i].text ? lh_strdup(ctx, builtins[i].text)
                                    : resnet(ctx, builtins[i].resnet_blocks);
    return NULL;
}
