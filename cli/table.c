/* SPDX-License-Identifier: MIT
 *
 * The tables themselves: verbs, options, exit codes, environment.  Data only. */
#include "cli/options.h"
#include "cli/verbs.h"

#define V(name) (1u << VERB_##name)
#define RUNS (V(TRAIN) | V(COMPARE))
#define STEPPING (RUNS | V(FIND_LR)) /* the training step and what it is fed with */
#define SCHEDULES (V(SCHEDULE_SHOW) | V(SCHEDULE_PLOT))
#define PLUGINS (V(PLUGIN_LIST) | V(PLUGIN_INFO)) /* verbs that show plugins */
#define REGISTRY                                                                                   \
    (STEPPING | SCHEDULES | V(TIME) | V(SCHEDULE_LIST) | V(OPTIMIZER_LIST) |   \
     V(OPTIMIZER_TRACE) | PLUGINS |    \
     V(PLUGIN_NEW) | V(PLUGIN_SOURCE))
#define CONFIGURED (STEPPING | V(EVAL) | V(TIME) | V(TUNE))
#define EVERY 0xffffffffu
#define TEXT_LIMIT 0, 0

/* Groups, in the order of --help. */
#define G_DATA "Data"
#define G_MODEL "Model"
#define G_METHOD "Optimizer and schedule"
#define G_BUDGET "Budget"
#define G_RUN "Run"
#define G_PLUGINS "Plugins"
#define G_OUTPUT "Output"

const option_row option_table[] = {
    {OPT_DATA, "data", 0, "SPEC", TYPE_TEXT, OPTION_OF_A_RUN, STEPPING | V(EVAL), NULL, TEXT_LIMIT,
     NULL, G_DATA,
     "data set: cifar10:DIR (binary version), cifar100:DIR, idx:DIR (MNIST files) or "
     "synthetic[:n=5000,test=1000,seed=7,classes=10]"},
    {OPT_LIMIT_TRAIN, "limit-train", 0, "N", TYPE_UINT, OPTION_OF_A_RUN, STEPPING, NULL, 1, 0, NULL,
     G_DATA, "use only the first N training images"},
    {OPT_LIMIT_VAL, "limit-val", 0, "N", TYPE_UINT, OPTION_OF_A_RUN, RUNS, NULL, 1, 0, NULL, G_DATA,
     "use only the first N validation images"},
    {OPT_VAL_FRACTION, "val-fraction", 0, "X", TYPE_REAL, OPTION_OF_A_RUN | OPTION_OPEN_MAX, RUNS,
     "0.1", 0, 1, NULL, G_DATA,
     "part of the training images kept for validation; the test images are read once, at the end"},
    {OPT_AUGMENT, "augment", 0, "NAME", TYPE_CHOICE, OPTION_OF_A_RUN, STEPPING, "none", TEXT_LIMIT,
     "none|standard|cutout", G_DATA,
     "none; standard: random crop after padding by 4, and horizontal flip; cutout: a square is blanked "
     "as well"},
    {OPT_NORMALIZE, "normalize", 0, "NAME", TYPE_CHOICE, OPTION_OF_A_RUN, STEPPING | V(EVAL), NULL,
     TEXT_LIMIT, "dataset|unit", G_DATA,
     "dataset: (x/255 - mean)/sd per channel, the default; unit: x/255"},
    {OPT_NO_SHUFFLE, "no-shuffle", 0, NULL, TYPE_FLAG, OPTION_OF_A_RUN, STEPPING, NULL, TEXT_LIMIT,
     NULL, G_DATA, "take the training images in the order of the file"},
    {OPT_PART, "part", 0, "NAME", TYPE_CHOICE, 0, V(EVAL), "test", TEXT_LIMIT, "test|train", G_DATA,
     "which images to evaluate on"},

    {OPT_MODEL, "model", 0, "NAME|FILE", TYPE_FILE, OPTION_OF_A_RUN, STEPPING | V(TIME) | V(TUNE),
     "tutorial",
     TEXT_LIMIT, NULL, G_MODEL,
     "a built-in model (lehr models lists them) or a description file"},
    {OPT_MODEL, "model", 0, "NAME|FILE", TYPE_FILE, 0, V(EVAL), NULL, TEXT_LIMIT, NULL, G_MODEL,
     "the model of a weights file that does not say its own; run directories and files written by lehr "
     "do"},
    {OPT_INIT, "init", 0, "FILE", TYPE_FILE, OPTION_OF_A_RUN, V(TRAIN) | V(FIND_LR), NULL,
     TEXT_LIMIT, NULL, G_MODEL, "start from the weights of a safetensors file"},
    {OPT_SAVE_WEIGHTS, "save-weights", 0, "FILE", TYPE_FILE, 0, V(TRAIN), NULL, TEXT_LIMIT, NULL,
     G_MODEL, "write the final weights to a safetensors file"},
    {OPT_WEIGHTS, "weights", 0, "FILE|RUNDIR", TYPE_FILE, 0, V(EVAL), NULL, TEXT_LIMIT, NULL,
     G_MODEL, "a safetensors file, or a run directory, whose newest checkpoint is used"},
    {OPT_WEIGHTS, "weights", 0, "FILE", TYPE_FILE, 0, V(OPTIMIZER_TRACE), NULL, TEXT_LIMIT, NULL,
     G_METHOD, "the weights to start from: a .npy file of float32, shape (n), or that of a tensor"},
    {OPT_GRADS, "grads", 0, "FILE", TYPE_FILE, 0, V(OPTIMIZER_TRACE), NULL, TEXT_LIMIT, NULL,
     G_METHOD, "one gradient per update: a .npy file of float32, shape (steps, n)"},
    {OPT_LOSSES, "losses", 0, "FILE", TYPE_FILE, 0, V(OPTIMIZER_TRACE), NULL, TEXT_LIMIT, NULL,
     G_METHOD, "the loss of each update, for optimizers that need it: a .npy file of float32, shape (steps)"},
    {OPT_EVALUATED, "evaluated", 0, NULL, TYPE_FLAG, 0, V(OPTIMIZER_TRACE), NULL, TEXT_LIMIT, NULL,
     G_METHOD,
     "write the weights that are evaluated with, where an optimizer has others than those it trains"},

    {OPT_OPTIMIZER, "optimizer", 0, "SPEC", TYPE_TEXT, OPTION_OF_A_RUN, V(TRAIN) | V(FIND_LR), "sgd",
     TEXT_LIMIT, NULL, G_METHOD,
     "such as 'sgd(momentum=0.9, nesterov=1)' or 'adam'; lehr optimizer list shows all"},
    {OPT_SCHEDULE, "schedule", 0, "SPEC", TYPE_TEXT, OPTION_OF_A_RUN | OPTION_REPEATABLE, V(TRAIN),
     "constant()", TEXT_LIMIT, NULL, G_METHOD,
     "such as 'step(gamma=0.5, every=10ep)' or 'warmup(5ep) * cosine(end=0)'; lehr schedule list "
     "shows all.  Repeat it with a name in front for other numbers: 'momentum: linear(end=0.85)'; lr, "
     "label_smoothing, dropout, batch and the optimizer's own can be scheduled"},
    {OPT_SCHEDULE, "schedule", 0, "SPEC", TYPE_TEXT, OPTION_REPEATABLE, V(OPTIMIZER_TRACE), NULL,
     TEXT_LIMIT, NULL, G_METHOD,
     "schedule of the learning rate, or 'NAME: SPEC' of a parameter; repeat it for more.  Its budget is the "
     "number of gradients"},
    {OPT_GROUP, "group", 0, "GROUP", TYPE_TEXT, OPTION_OF_A_RUN | OPTION_REPEATABLE, RUNS, NULL,
     TEXT_LIMIT, NULL, G_METHOD,
     "other values for some parameters: 'bias,norm: lr*2, weight_decay=0' or 'conv1*: lr=0.01, "
     "schedule=cosine()'; repeat it for more, the last one that selects a parameter holds.  lehr models "
     "NAME lists the parameters"},
    {OPT_LR, "lr", 0, "X", TYPE_REAL, OPTION_OF_A_RUN | OPTION_OPEN_MIN,
     V(TRAIN) | V(OPTIMIZER_TRACE), NULL, 0, 0, NULL,
     G_METHOD, "base learning rate; without it the optimizer's own default"},
    {OPT_LR, "lr", 0, "X", TYPE_REAL, OPTION_OPEN_MIN, SCHEDULES, "0.1", 0, 0, NULL, G_METHOD,
     "base learning rate"},
    {OPT_LR_MIN, "lr-min", 0, "X", TYPE_REAL, OPTION_OPEN_MIN, V(FIND_LR), "1e-7", 0, 1e30, NULL,
     G_METHOD, "the first learning rate"},
    {OPT_LR_MAX, "lr-max", 0, "X", TYPE_REAL, OPTION_OPEN_MIN, V(FIND_LR), "10", 0, 1e30, NULL,
     G_METHOD, "the last learning rate, if the loss does not blow up before"},
    {OPT_WEIGHT_DECAY, "weight-decay", 0, "X", TYPE_REAL, OPTION_OF_A_RUN,
     STEPPING | V(OPTIMIZER_TRACE) | V(PLUGIN_SOURCE), NULL, 0, 0, NULL, G_METHOD,
     "weight decay; biases and batch normalisation are left out; without it the optimizer's own"},
    {OPT_CLIP_NORM, "clip-norm", 0, "X", TYPE_REAL, OPTION_OF_A_RUN | OPTION_OPEN_MIN, STEPPING,
     NULL, 0, 0, NULL, G_METHOD, "scale the gradient down to this global norm"},
    {OPT_CLIP_VALUE, "clip-value", 0, "X", TYPE_REAL, OPTION_OF_A_RUN | OPTION_OPEN_MIN, STEPPING, NULL,
     0, 0, NULL, G_METHOD, "limit each element of the gradient to [-X, X]"},
    {OPT_LABEL_SMOOTHING, "label-smoothing", 0, "X", TYPE_REAL, OPTION_OF_A_RUN | OPTION_OPEN_MAX,
     STEPPING, NULL, 0, 1, NULL, G_METHOD, "label smoothing of the cross-entropy"},
    {OPT_LOSS, "loss", 0, "NAME", TYPE_CHOICE, OPTION_OF_A_RUN, STEPPING, "cross_entropy", TEXT_LIMIT,
     "cross_entropy|l2", G_METHOD, "loss function"},
    {OPT_PRESET, "preset", 0, "NAME", TYPE_TEXT, 0, V(COMPARE), NULL, TEXT_LIMIT, NULL, G_METHOD,
     "a set of methods: tutorial (four schedules with SGD; Adagrad, Adadelta, RMSprop, Adam at Keras 3 "
     "defaults) or tutorial2017 (the older defaults)"},
    {OPT_METHOD, "method", 0, "METHOD", TYPE_TEXT, OPTION_REPEATABLE, V(COMPARE), NULL, TEXT_LIMIT,
     NULL, G_METHOD,
     "one method: 'NAME: optimizer=SPEC; schedule=SPEC; lr=X; group=GROUP', each part but the name "
     "optional, schedule and group as often as wanted; repeat it for each method"},
    {OPT_TARGET, "target", 0, "X", TYPE_REAL, OPTION_OPEN_MIN, V(COMPARE), NULL, 0, 1, NULL, G_METHOD,
     "validation accuracy (0 to 1) for the time to the target; without it nine tenths of the best "
     "method's mean"},

    {OPT_EPOCHS, "epochs", 0, "N", TYPE_UINT, OPTION_OF_A_RUN, RUNS | SCHEDULES, "10", 1, 1000000,
     NULL, G_BUDGET, "epochs; this is also the budget of the schedule"},
    {OPT_STEPS_PER_EPOCH, "steps-per-epoch", 0, "N", TYPE_UINT, 0, SCHEDULES, "352", 1, 1e12, NULL,
     G_BUDGET, "updates in one epoch; 352 is 45,000 images in batches of 128"},
    {OPT_STEPS_PER_EPOCH, "steps-per-epoch", 0, "N", TYPE_UINT, 0, V(OPTIMIZER_TRACE), NULL, 1, 1e12,
     NULL, G_BUDGET, "updates in one epoch of the schedule; without it all gradients are one epoch"},
    {OPT_MAX_STEPS, "max-steps", 0, "N", TYPE_UINT, 0, V(TRAIN), NULL, 1, 0, NULL, G_BUDGET,
     "stop after this many updates, with a checkpoint; the schedule's budget stays --epochs"},
    {OPT_BATCH, "batch", 0, "N", TYPE_UINT, OPTION_OF_A_RUN,
     STEPPING | SCHEDULES | V(EVAL) | V(TIME) | V(TUNE), "128", 1, 65536, NULL, G_BUDGET,
     "images in a batch"},
    {OPT_ACCUMULATE, "accumulate", 0, "N", TYPE_UINT, OPTION_OF_A_RUN, STEPPING, "1", 1, 65536, NULL,
     G_BUDGET, "batches whose gradients are averaged into one update"},
    {OPT_EARLY_STOP, "early-stop", 0, "N", TYPE_UINT, OPTION_OF_A_RUN, RUNS, NULL, 1, 1000000, NULL,
     G_BUDGET, "stop after N epochs without a better validation loss"},
    {OPT_SEED, "seed", 0, "N", TYPE_UINT, OPTION_OF_A_RUN,
     STEPPING | SCHEDULES | V(OPTIMIZER_TRACE), "1", 0, 9e18, NULL,
     G_BUDGET, "seed of weights, order and augmentation; the first seed of a comparison"},
    {OPT_SEEDS, "seeds", 0, "N", TYPE_UINT, 0, V(COMPARE), "5", 1, 1000, NULL, G_BUDGET,
     "runs per method, with consecutive seeds; few seeds tell few differences"},
    {OPT_SEEDS, "seeds", 0, "N", TYPE_UINT, 0, V(FIND_LR), "1", 1, 1000, NULL, G_BUDGET,
     "runs with consecutive seeds; the curve is their median"},
    {OPT_STEPS, "steps", 0, "N", TYPE_UINT, 0, V(FIND_LR), "100", 10, 100000, NULL, G_BUDGET,
     "updates, each with its own learning rate; more make the growth slower"},
    {OPT_STEPS, "steps", 0, "N", TYPE_UINT, 0, V(TIME), "30", 1, 100000, NULL, G_BUDGET,
     "timed steps, after warm-up; the median is reported"},

    {OPT_OUT, "out", 'o', "DIR", TYPE_DIRECTORY, OPTION_OF_A_RUN, V(TRAIN), NULL, TEXT_LIMIT, NULL,
     G_RUN, "run directory: history, settings, checkpoints; without it the first free runs/MODEL-N"},
    {OPT_OUT, "out", 'o', "DIR", TYPE_DIRECTORY, 0, V(COMPARE), NULL, TEXT_LIMIT, NULL, G_RUN,
     "directory of the comparison; an interrupted one continues.  Without it the first free "
     "runs/compare-N"},
    {OPT_OUT, "out", 'o', "DIR", TYPE_DIRECTORY, 0, V(FIND_LR), NULL, TEXT_LIMIT, NULL, G_RUN,
     "write find-lr.csv, find-lr.json and find-lr.svg into DIR; without it nothing is written"},
    {OPT_OUT, "out", 'o', "FILE", TYPE_FILE, 0, V(OPTIMIZER_TRACE), NULL, TEXT_LIMIT, NULL, G_RUN,
     "the weights after each update: a .npy file of float32, shape (steps, n)"},
    {OPT_RESUME, "resume", 0, "DIR", TYPE_DIRECTORY, OPTION_NOT_A_SETTING, V(TRAIN), NULL,
     TEXT_LIMIT, NULL, G_RUN,
     "continue the run in DIR, bit for bit; needs no other option, and what is given must agree "
     "with the run"},
    {OPT_CHECKPOINT_EVERY, "checkpoint-every", 0, "DURATION", TYPE_DURATION, 0, RUNS,
     "1ep", TEXT_LIMIT, NULL, G_RUN, "such as 1ep or 500st; none: only at the end and when stopped"},
    {OPT_DEVICE, "device", 0, "WHICH", TYPE_TEXT, 0,
     STEPPING | V(EVAL) | V(TIME) | V(TUNE) | V(OPTIMIZER_TRACE) | V(PLUGIN_SOURCE) | V(PLUGIN_CHECK),
     "auto",
     TEXT_LIMIT, NULL, G_RUN,
     "auto, cpu, gpu, an index or a part of the name; lehr devices lists them"},
    {OPT_TUNE, "tune", 0, "S", TYPE_FLAG, OPTION_OPEN_MIN, V(TRAIN) | V(COMPARE), NULL, 0, 86400, NULL,
     G_RUN,
     "before training measure, for at most about S seconds (60), the kernels that were not measured yet for "
     "this model, batch and device; a resumed run keeps the kernels it has"},
    {OPT_OP, "op", 0, "NAME", TYPE_TEXT, 0, V(TUNE), NULL, TEXT_LIMIT, NULL, G_RUN,
     "only ops whose names begin so, such as conv or dense.forward"},
    {OPT_SECONDS, "seconds", 0, "S", TYPE_REAL, OPTION_OPEN_MIN, V(TUNE), "60", 0, 86400, NULL, G_RUN,
     "about how long to measure"},
    {OPT_SECONDS, "seconds", 0, "S", TYPE_REAL, 0, V(DOCTOR), "5", 0, 86400, NULL, G_RUN,
     "about how long to check kernels on each device; 0: not at all"},
    {OPT_EXPLAIN, "explain", 0, NULL, TYPE_FLAG, 0, V(TUNE), NULL, TEXT_LIMIT, NULL, G_RUN,
     "measure nothing: print which kernel is used for what, and why no other"},
    {OPT_COMPILE, "compile", 0, NULL, TYPE_FLAG, 0, V(TUNE), NULL, TEXT_LIMIT, NULL, G_RUN,
     "measure nothing: compile the kernels of the training step, so that the first start is a quick one; "
     "ends when standard input does"},
    {OPT_EXPORT, "export", 0, NULL, TYPE_FLAG, 0, V(TUNE), NULL, TEXT_LIMIT, NULL, G_RUN,
     "measure nothing: print what was measured on this device and is not the default, as a table that lehr "
     "could come with"},
    {OPT_DRY_RUN, "dry-run", 0, NULL, TYPE_FLAG, 0, V(TUNE), NULL, TEXT_LIMIT, NULL, G_RUN,
     "measure and print, but store nothing"},
    {OPT_CONFIG, "config", 0, "FILE", TYPE_FILE, OPTION_NOT_A_SETTING, CONFIGURED, NULL, TEXT_LIMIT,
     NULL, G_RUN, "read options from a file of 'name = value' lines; the command line wins"},
    {OPT_DUMP_CONFIG, "dump-config", 0, NULL, TYPE_FLAG, OPTION_NOT_A_SETTING, CONFIGURED, NULL,
     TEXT_LIMIT, NULL, G_RUN, "print the options in the form of --config and do nothing else"},
    {OPT_ONLY, "only", 0, "NAME", TYPE_TEXT, OPTION_REPEATABLE, V(PLUGIN_CHECK), NULL, TEXT_LIMIT,
     NULL, G_RUN,
     "only this check, or this group of checks (schedules); repeat it for more.  What they need of "
     "other checks is taken for granted"},
    {OPT_LIST, "list", 0, NULL, TYPE_FLAG, 0, V(PLUGIN_CHECK), NULL, TEXT_LIMIT, NULL, G_RUN,
     "list the checks and do nothing else"},
    {OPT_QUICK, "quick", 0, NULL, TYPE_FLAG, 0, V(PLUGIN_CHECK), NULL, TEXT_LIMIT, NULL, G_RUN,
     "run all checks in one process first, and each in its own only when something is wrong there"},
    {OPT_TIMEOUT, "timeout", 0, "SECONDS", TYPE_REAL, OPTION_OPEN_MIN, V(PLUGIN_CHECK), "20", 0,
     100000, NULL, G_RUN, "how long one check may take; six times that where it uses a device"},

    {OPT_PLUGIN, "plugin", 0, "FILE", TYPE_FILE, OPTION_REPEATABLE, REGISTRY, NULL, TEXT_LIMIT, NULL,
     G_PLUGINS, "load a plugin; repeat it for more.  A plugin is code that runs with your rights"},
    {OPT_NO_PLUGINS, "no-plugins", 0, NULL, TYPE_FLAG, 0, REGISTRY, NULL, TEXT_LIMIT, NULL,
     G_PLUGINS, "use only the built-in schedules and optimizers"},

    {OPT_CSV, "csv", 0, NULL, TYPE_FLAG, 0, V(SCHEDULE_SHOW), NULL, TEXT_LIMIT, NULL, G_OUTPUT,
     "print step,epoch,lr with a header line, numbers at full precision"},
    {OPT_CSV, "csv", 0, NULL, TYPE_FLAG, 0, V(FIND_LR), NULL, TEXT_LIMIT, NULL, G_OUTPUT,
     "print lr,loss,smoothed with a header line, numbers at full precision"},
    {OPT_SVG, "svg", 0, "FILE", TYPE_FILE, 0, V(SCHEDULE_PLOT) | V(FIND_LR), NULL, TEXT_LIMIT, NULL,
     G_OUTPUT, "write an SVG drawing as well"},
    {OPT_DUMP, "dump", 0, "NAME", TYPE_TEXT, 0, V(MODELS), NULL, TEXT_LIMIT, NULL, G_OUTPUT,
     "print the description of one model, to be copied and changed"},
    {OPT_DIR, "dir", 0, "DIR", TYPE_DIRECTORY, 0, V(PLUGIN_NEW), NULL, TEXT_LIMIT, NULL, G_OUTPUT,
     "directory of the new files, made when it is not there; without it NAME"},
    {OPT_JSON, "json", 0, NULL, TYPE_FLAG, 0,
     V(FIND_LR) | V(MODELS) | V(DEVICES) | PLUGINS | V(PLUGIN_CHECK) | V(EVAL) | V(TIME) | V(TUNE), NULL,
     TEXT_LIMIT, NULL, G_OUTPUT, "print JSON"},
    {OPT_PROGRESS, "progress", 0, "KIND", TYPE_CHOICE, 0, RUNS, NULL, TEXT_LIMIT,
     "bar|lines|json|none", G_OUTPUT,
     "bar (on a terminal the default), lines, json (one object a line, nothing else) or none"},
    {OPT_QUIET, "quiet", 'q', NULL, TYPE_FLAG, 0, RUNS, NULL, TEXT_LIMIT, NULL, G_OUTPUT,
     "print nothing but errors"},
    {OPT_VERBOSE, "verbose", 'v', NULL, TYPE_FLAG, OPTION_NOT_A_SETTING, EVERY, NULL, TEXT_LIMIT,
     NULL, G_OUTPUT, "print the library's log on standard error"},
    {OPT_HELP, "help", 'h', NULL, TYPE_FLAG, OPTION_NOT_A_SETTING, EVERY, NULL, TEXT_LIMIT, NULL,
     G_OUTPUT, "print this help"},
    {.name = NULL},
};

const verb_row verb_table[] = {
    {VERB_TRAIN, "train", NULL, 0, 0, "train a model",
     "Trains one model with one optimizer and one schedule, and writes a run directory: run.json "
     "(settings, device, versions), history.jsonl and history.csv, checkpoints.\n"
     "SIGINT or SIGTERM finish the step, write a checkpoint and end with 130 or 143; a second one "
     "ends at once.  SIGUSR1 writes a checkpoint and goes on.  --resume continues.",
     "train --data synthetic --epochs 3\n"
     "train --data cifar10:DIR --model vgg6 --optimizer 'sgd(momentum=0.9, nesterov=1)' "
     "--schedule 'warmup(1ep) * cosine(end=0)' --lr 0.1 --weight-decay 5e-4 --augment standard\n"
     "train --resume runs/vgg6-1",
     verb_train},
    {VERB_COMPARE, "compare", NULL, 0, 0, "compare methods over seeds",
     "Trains one model with each method and seed: the same initial weights and data order per seed, "
     "the same budget.  Writes summary.csv, a self-contained report.html and a run directory each.",
     "compare --data synthetic --preset tutorial --epochs 5 --seeds 3\n"
     "compare --data cifar10:DIR --method 'plain: optimizer=sgd; lr=0.1' --method 'cosine: "
     "optimizer=sgd; schedule=cosine(end=0); lr=0.1'",
     verb_compare},
    {VERB_FIND_LR, "find-lr", NULL, 0, 0, "find a learning rate: the range test",
     "Trains a fresh model for a few updates while the learning rate grows from --lr-min to --lr-max, draws "
     "the loss over it and suggests learning rates: the range in which the loss falls, where in it to "
     "start (valley), where the loss falls fastest, and the largest that is still stable.  A loss that "
     "blows up ends the test; that is a result.  Writes nothing without --out or --svg.",
     "find-lr --data synthetic --optimizer adam\n"
     "find-lr --data cifar10:DIR --model vgg6 --optimizer 'sgd(momentum=0.9)' --seeds 3 --svg lr.svg",
     verb_find_lr},
    {VERB_EVAL, "eval", NULL, 0, 0, "evaluate trained weights",
     "Prints loss and accuracy of a weights file or of the newest checkpoint of a run.",
     "eval --data cifar10:DIR --weights runs/vgg6-1\n"
     "eval --data cifar10:DIR --model vgg6 --weights vgg6.safetensors --json",
     verb_eval},
    {VERB_TIME, "time", NULL, 0, 0, "time the training step of a model, layer by layer",
     "Times forward, backward and update on random data.  step_ms is the median of many steps.  A layer "
     "that another one's kernel computes on the way has its time there: \"in conv1\".",
     "time --model vgg6 --batch 128\ntime --model vgg6 --json", verb_time},
    {VERB_TUNE, "tune", NULL, 0, 0, "measure which kernels are the fastest for a model on this device",
     "For every op and shape of the model's training step with more than one kernel: compares each with "
     "the reference, times them in alternation on random data and remembers the fastest by its median.  "
     "Training, timing and evaluation then use it, for this model and batch, device, driver and version "
     "of lehr.  Rows are stored in $XDG_CACHE_HOME/lehr/tuning-*.txt, one a line; removing the file "
     "forgets them.",
     "tune --model vgg6 --batch 128\ntune --model resnet20 --op conv --seconds 20\n"
     "tune --model vgg6 --explain", verb_tune},
    {VERB_SCHEDULE_LIST, "schedule list", "[NAME...]", 0, 64,
     "list the schedules, or the parameters of those named",
     "Without a name each schedule has a line: its formula.  With names: their parameters, defaults "
     "and presets.  Durations have a unit: 10ep, 500st (updates), 30% (of the budget).  Schedules are put "
     "together with a * b, a + b, 'a for 5ep then b', min(a, b), max(a, b), clip(a, low, high), scale(a, "
     "0.5), shift(a, 5ep), repeat(a, 10ep), hold(a, 1ep), a formula expr(\"base * 0.5 ^ floor(epoch / "
     "10)\") and table(\"lr.csv\").",
     "schedule list\nschedule list cosine warmup", verb_schedule_list},
    {VERB_SCHEDULE_SHOW, "schedule show", "'SPEC'", 1, 1,
     "print the learning rate of every update",
     "Prints step, epoch and lr of every update of the budget, and warns of what looks wrong.  Needs no "
     "device and no data.",
     "schedule show 'warmup(1ep) * cosine(end=0)' --lr 0.1 --epochs 3 --steps-per-epoch 10\n"
     "schedule show 'step(gamma=0.5, every=10ep)' --epochs 30 --csv",
     verb_schedule_show},
    {VERB_SCHEDULE_PLOT, "schedule plot", "'SPEC'", 1, 1, "draw a schedule in the terminal",
     "Draws the learning rate over the budget, and warns of what looks wrong: values that would stop a "
     "run, a rate of 0, an end that is never reached, jumps.  Needs no device and no data.",
     "schedule plot 'warmup(5ep) * cosine(end=0)' --epochs 90\n"
     "schedule plot 'linear(0 -> 1, 5ep) then cosine(1 -> 0)' --epochs 90\n"
     "schedule plot 'exponential(gamma=0.9, every=1ep)' --svg lr.svg",
     verb_schedule_plot},
    {VERB_OPTIMIZER_LIST, "optimizer list", "[NAME...]", 0, 64,
     "list the optimizers, or the parameters of those named",
     "Without a name each optimizer has a line: its formula (g: gradient) and its learning rate. With "
     "names: their parameters, defaults and presets.",
     "optimizer list\noptimizer list adamw sgd", verb_optimizer_list},
    {VERB_OPTIMIZER_TRACE, "optimizer trace", "'SPEC'", 1, 1,
     "run an optimizer over given gradients and write the weights after each update",
     "Reads weights and gradients as NumPy saves them (.npy, float32, C order) and writes the weights "
     "after each update, computed on the device by the same kernel as in training.  The weights may "
     "have any shape of 1 to 4 dimensions, (n) being the usual one; the gradients have that shape with "
     "the number of updates in front, and so has the result.  All weights are one tensor with weight "
     "decay.",
     "optimizer trace 'adam(beta1=0.95)' --weights w.npy --grads g.npy --lr 0.001 --out trace.npy\n"
     "optimizer trace sgd --weights w.npy --grads g.npy --lr 0.1 --schedule 'cosine(end=0)' --out trace.npy",
     verb_optimizer_trace},
    {VERB_PLUGIN_LIST, "plugin list", "[FILE...]", 0, 64,
     "list the plugins: the built-in ones and the files given",
     "Shows id, version, file and SHA-256 of each plugin and what it offers.",
     "plugin list\nplugin list ./lehr-mine.so --json", verb_plugin_list},
    {VERB_PLUGIN_INFO, "plugin info", "NAME|FILE", 1, 1,
     "show what a plugin holds: parameters, presets, memory",
     "NAME is a schedule, an optimizer or a plugin's id; FILE is a plugin's file (with a '/' or ending "
     "in .so).  Shows its id, version, file and SHA-256, and of each schedule and optimizer the "
     "formula, the parameters with range and default, presets with their source, state and bytes per "
     "weight.",
     "plugin info adam\nplugin info ./lehr-mine.so --json", verb_plugin_info},
    {VERB_PLUGIN_NEW, "plugin new", "schedule|optimizer NAME", 2, 2,
     "write a starting file and a Makefile for a plugin of your own",
     "Writes NAME/lehr-NAME.c, a complete schedule or optimizer that trains as it is, and "
     "NAME/Makefile; nothing that exists is overwritten.  The Makefile asks pkg-config for the header "
     "(lehr-plugin) and knows the header of this lehr; nothing is linked but libm.",
     "plugin new optimizer mine\nplugin new schedule mine --dir plugins/mine", verb_plugin_new},
    {VERB_PLUGIN_SOURCE, "plugin source", "'NAME|SPEC'", 1, 1,
     "print the OpenCL C program that an optimizer becomes",
     "The program depends on the kind of device, on choices and on which slots take memory; numbers are "
     "arguments of its kernels.  A message of the driver's compiler about \"pass 1:2\" means line 2 of the "
     "plugin's first pass.",
     "plugin source adam\nplugin source 'sgd(momentum=0.9, nesterov=1)' --plugin ./lehr-mine.so",
     verb_plugin_source},
    {VERB_PLUGIN_CHECK, "plugin check", "[FILE...]", 0, 64, "check a plugin thoroughly",
     "Runs every check of docs/plugin-check.md on each file, each in a process of its own: a plugin "
     "that crashes, hangs or ends the process fails that check, and the last call is named.  Ends "
     "with 9 when a check fails; warnings do not count.  The plugin's code is run.",
     "plugin check ./lehr-mine.so\nplugin check ./lehr-mine.so --only schedules --json\n"
     "plugin check --list",
     verb_plugin_check},
    {VERB_MODELS, "models", "[NAME|FILE]", 0, 1, "list the built-in models, or one model's parameters",
     "Parameters are the trained numbers; FLOPs are of one image's forward pass, a multiply-add "
     "counted as two.  With a name: every parameter with its class (weight, bias or norm) and shape, as "
     "--group selects them.",
     "models\nmodels vgg6\nmodels --dump vgg6 > mine.model", verb_models},
    {VERB_REPORT, "report", "DIR", 1, 1, "write the report of a run or a comparison again",
     "Reads the files of a run directory or of a comparison's directory and writes DIR/report.html, one "
     "self-contained file.  Needs no device.",
     "report runs/vgg6-1", verb_report},
    {VERB_DEVICES, "devices", NULL, 0, 0, "list the OpenCL devices",
     "The index is what --device takes.  family is the kind of kernels that will be used.",
     "devices\ndevices --json", verb_devices},
    {VERB_DOCTOR, "doctor", NULL, 0, 0, "look for what could be wrong with this machine's set-up",
     "Checks the OpenCL loader, each registered driver, devices, the kernel cache, access to "
     "graphics devices, plugins and data, and compares the kernels of the built-in models with the "
     "reference on each device; one that is wrong there will not be used again.",
     "doctor", verb_doctor},
    {.name = NULL},
};

const exit_row exit_table[] = {
    {0, "success"},
    {1, "an internal error, or out of memory"},
    {2, "a wrong argument, parameter or configuration"},
    {3, "no usable OpenCL device"},
    {4, "a data set that cannot be read or is wrong"},
    {5, "a checkpoint or weights file that cannot be used"},
    {6, "training diverged"},
    {7, "a file that cannot be written, such as a full disk"},
    {8, "the device failed"},
    {9, "a plugin that cannot be used"},
    {130, "stopped by SIGINT, after a checkpoint"},
    {143, "stopped by SIGTERM, after a checkpoint"},
    {0, NULL},
};

const environment_row environment_table[] = {
    {"LEHR_DATA", "directory in which data sets are looked for"},
    {"LEHR_PLUGIN_PATH", "directories, separated by ':', in which plugins are looked for by name"},
    {"LEHR_PLUGIN_DIR", "directory of the built-in plugins, when they are not where they were installed"},
    {"LEHR_VARIANT", "forces kernel variants, such as conv.forward=direct_cpu; separated by ','"},
    {"LEHR_WINOGRAD", "2: without Winograd F(4x4, 3x3), the accurate option; 0: without any Winograd; 4: "
     "with all, as when unset"},
    {"LEHR_TRAITS", "narrows what the device is taken for, such as family=gpu"},
    {"LEHR_CACHE", "directory of what is remembered about kernels, instead of $XDG_CACHE_HOME/lehr; off: "
     "nothing is read or written"},
    {"LEHR_SHIPPED", "off: the table of fast kernels for known devices, which lehr comes with, is not used"},
    {"LEHR_TUNE", "seconds: as if train and compare had --tune=SECONDS"},
    {"LEHR_SELF_TEST", "seconds that checking kernels at their first use on a device may take; without it "
     "10, 0: none"},
    {"OCL_ICD_VENDORS", "where the OpenCL loader looks for drivers"},
    {"POCL_CACHE_DIR", "where the CPU driver keeps compiled kernels"},
    {"NO_COLOR", "when set: no colours"},
    {"COLUMNS", "width of the terminal"},
    {NULL, NULL},
};
