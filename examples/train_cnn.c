/* SPDX-License-Identifier: MIT
 *
 * Trains a small CNN with a learning-rate schedule: train_cnn [cifar10:DIR] */
#include <lehr/lehr.h>
#include <stdio.h>
#include <string.h>

static int on_event(void *user, const lehr_event *e)
{
    if (strcmp(e->kind, "epoch") == 0)
        printf("epoch %2.0f  lr %.5f  validation %.1f %%\n", e->epoch, e->lr, 100 * e->val_accuracy);
    return user ? LEHR_STOP : LEHR_CONTINUE;
}

int main(int argc, char **argv)
{
    lehr_context *ctx = NULL;
    lehr_device *device = NULL;
    lehr_registry *plugins = NULL;
    lehr_model *model = NULL;
    lehr_data *data = NULL;
    lehr_train_result result;
    lehr_train_params p;
    lehr_train_params_init(&p);
    p.optimizer = "sgd(momentum=0.9, nesterov=1)";
    p.schedule = "warmup(1ep) * cosine(end=0)";
    p.lr = 0.05, p.epochs = 5, p.on_event = on_event;
    lehr_status st = lehr_context_create(NULL, &ctx);
    if (!st) st = lehr_device_open(ctx, "auto", &device);
    if (!st) st = lehr_registry_create(ctx, NULL, &plugins);
    if (!st) st = lehr_data_open(ctx, argc > 1 ? argv[1] : "synthetic:n=2000", &data);
    if (!st) st = lehr_model_parse(ctx, "small", "input 3 32 32\nconv 16 3x3 pad=1\nrelu\n"
                                   "maxpool 4\nflatten\ndense 10\n", &model);
    if (!st) st = lehr_train(device, plugins, model, data, &p, &result);
    if (!st) printf("test accuracy %.1f %%\n", 100 * result.test_accuracy);
    if (st) fprintf(stderr, "train_cnn: %s\n", lehr_context_message(ctx));
    lehr_data_destroy(&data), lehr_model_destroy(&model), lehr_registry_destroy(&plugins);
    lehr_device_destroy(&device), lehr_context_destroy(&ctx);
    return lehr_status_exit_code(st);
}
