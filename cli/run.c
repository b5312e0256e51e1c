/* SPDX-License-Identifier: MIT
 *
 * Parts that train and compare share. */
#include "cli/run.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/signals.h"
#include "cli/text.h"

double given_weight_decay(const settings *set)
{
    return option_given(set, OPT_WEIGHT_DECAY) ? option_real(set, OPT_WEIGHT_DECAY) : (double)NAN;
}

void run_params(lehr_train_params *params, const settings *set)
{
    lehr_train_params_init(params);
    params->epochs = option_uint(set, OPT_EPOCHS);
    params->max_steps = option_uint(set, OPT_MAX_STEPS);
    params->batch = (uint32_t)option_uint(set, OPT_BATCH);
    params->accumulate = (uint32_t)option_uint(set, OPT_ACCUMULATE);
    params->seed = option_uint(set, OPT_SEED);
    params->limit_train = option_uint(set, OPT_LIMIT_TRAIN);
    params->limit_val = option_uint(set, OPT_LIMIT_VAL);
    params->val_fraction = option_real(set, OPT_VAL_FRACTION);
    params->augment = option_text(set, OPT_AUGMENT);
    params->loss = option_text(set, OPT_LOSS);
    params->no_shuffle = option_flag(set, OPT_NO_SHUFFLE);
    params->weight_decay = given_weight_decay(set);
    params->clip_norm = option_real(set, OPT_CLIP_NORM);
    params->clip_value = option_real(set, OPT_CLIP_VALUE);
    params->group = option_text(set, OPT_GROUP);
    params->label_smoothing = option_real(set, OPT_LABEL_SMOOTHING);
    params->early_stop = (uint32_t)option_uint(set, OPT_EARLY_STOP);
    params->checkpoint_every = option_text(set, OPT_CHECKPOINT_EVERY);
    if (option_text(set, OPT_NORMALIZE)) params->normalize = option_text(set, OPT_NORMALIZE);
    params->stop_signal = signals_stop();
}

bool run_needs_data(const settings *set)
{
    if (option_text(set, OPT_DATA)) return true;
    return usage_error(set->verb, "--data is missing; type: --data cifar10:DIR (the binary version), or "
                       "--data synthetic to try without a data set");
}

/* "models/my-net.model" as "my-net". */
static void base_name(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t length = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    snprintf(out, size, "%.*s", (int)length, name);
}

bool run_free_directory(const settings *set, const char *name, char *buffer, size_t size)
{
    struct stat info;
    char base[128];
    base_name(name, base, sizeof base);
    if (mkdir("runs", 0777) != 0 && errno != EEXIST)
        return usage_error(set->verb, "the directory 'runs' cannot be made here (%s); type: --out DIR",
                           strerror(errno));
    for (unsigned n = 1; n < 100000; n++) {
        snprintf(buffer, size, "runs/%s-%u", base, n);
        if (stat(buffer, &info) != 0 && errno == ENOENT) return true;
    }
    return usage_error(set->verb, "no free name runs/%s-N; type: --out DIR", base);
}

void run_print_device(const session *s)
{
    const lehr_device_info *d = lehr_device_get_info(s->device);
    char memory[NUMBER_SIZE];
    printf("device      %u: %s (%s), %u units, %s, %s kernels\n", d->index, d->name, d->platform,
           d->compute_units, bytes_text(d->global_bytes, memory), d->family);
}

void run_print_data(const session *s)
{
    const lehr_data_info *d = lehr_data_get_info(s->data);
    char train[NUMBER_SIZE], test[NUMBER_SIZE];
    printf("data        %s: %s training and %s test images, %ux%ux%u, %u classes\n",
           *d->spec ? d->spec : d->name, count_text(d->train_count, train),
           count_text(d->test_count, test), d->channels, d->height, d->width, d->classes);
}

void run_print_model(const session *s)
{
    lehr_model_info m;
    char parameters[NUMBER_SIZE], flops[NUMBER_SIZE];
    lehr_model_get_info(s->model, &m);
    printf("model       %s: %s parameters, %s FLOPs per image forward\n", m.name,
           count_text(m.parameters, parameters), count_text(m.forward_flops, flops));
}

void run_print_plugins(const session *s)
{
    for (uint32_t i = 0; i < lehr_registry_plugin_count(s->registry); i++) {
        lehr_plugin_info p;
        lehr_registry_plugin(s->registry, i, &p);
        if (!p.built_in)
            printf("plugin      %s %s: %s, SHA-256 %s\n", p.id, p.version, p.path, p.sha256);
    }
}

static void print_if_given(const settings *set, option_id id)
{
    const option_value *value = &set->values[id];
    if (value->row && option_given(set, id)) printf(", %s %s", value->row->name, value->text);
}

void run_print_common(const settings *set)
{
    static const option_id extra[] = {
        OPT_ACCUMULATE, OPT_AUGMENT, OPT_NORMALIZE, OPT_LOSS, OPT_LABEL_SMOOTHING, OPT_WEIGHT_DECAY,
        OPT_CLIP_NORM, OPT_CLIP_VALUE, OPT_GROUP, OPT_EARLY_STOP, OPT_LIMIT_TRAIN, OPT_LIMIT_VAL,
        OPT_VAL_FRACTION, OPT_MAX_STEPS,
    };
    printf("settings    batch %llu, seed %llu", (unsigned long long)option_uint(set, OPT_BATCH),
           (unsigned long long)option_uint(set, OPT_SEED));
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) print_if_given(set, extra[i]);
    puts(option_flag(set, OPT_NO_SHUFFLE) ? ", no shuffling" : "");
}

void run_print_memory(const lehr_memory *m)
{
    const struct {
        const char *name;
        uint64_t bytes;
    } parts[] = {{"activations", m->activations}, {"weights and gradients", m->weights},
                 {"optimizer", m->optimizer},     {"workspace", m->workspace},
                 {"data", m->data}};
    char text[NUMBER_SIZE];
    if (!m->total) return;
    printf("%-12s%s of buffers", "memory", bytes_text(m->total, text));
    for (size_t i = 0, listed = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].bytes)
            printf("%s%s %s", listed++ ? ", " : ": ", parts[i].name, bytes_text(parts[i].bytes, text));
    puts("");
}
