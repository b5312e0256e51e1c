#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bad input: the documented exit status, a message on standard error that names the thing and what to type,
no crash, nothing lost.  errors.py LEHR"""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

from program import environment, history, run, training, weights, write_model

failures = []


def case(words, status, *says, **options):
    """Runs and checks status and sentence; every problem is reported, not only the first."""
    done = run(*words, want=None, **options)
    name = " ".join(map(str, words))[:160]
    text = done.stderr
    problems = []
    if done.returncode != status:
        problems.append(f"exit status {done.returncode}, not {status}")
    problems += [f"does not say '{word}'" for word in says if word.lower() not in text.lower()]
    if not text.startswith("lehr"):
        problems.append("the message does not begin with 'lehr'")
    if len(text) > 4000 or "Assertion" in text:
        problems.append("the message is no sentence for people")
    if problems:
        failures.append(name)
        print(f"not ok {name}: {'; '.join(problems)}\n{text[-800:]}")
    else:
        print(f"ok {name[:70]} -> {status}: {text.strip().splitlines()[0][:140]}")


def changed(words, **options):
    """The training words with other values."""
    words = list(words)
    for key, value in options.items():
        flag = "--" + key.replace("_", "-")
        if flag in words:
            words[words.index(flag) + 1] = value
        else:
            words += [flag, value]
    return words


def values(base):
    for option, bad in (("lr", ["nan", "-1", "0", "abc", "inf", "1e400", "0,1"]), ("epochs", ["0", "-1", "x"]),
                        ("batch", ["0", "-5", "1.5"]), ("seed", ["-1", "x"]),
                        ("label_smoothing", ["1", "-0.1"]), ("val_fraction", ["1", "nan"]),
                        ("weight_decay", ["-1", "nan"]), ("clip_norm", ["-1"]), ("accumulate", ["0"]),
                        ("checkpoint_every", ["5", "0ep", "soon"]), ("limit_train", ["-3"]),
                        ("progress", ["loud"])):
        for value in bad:
            case(changed(base, **{option: value}), 2, option.replace("_", "-"))
    case(changed(base, augment="none,wild"), 2)
    case(changed(base, optimizer="adm"), 2, "adm", "adam")
    case(changed(base, optimizer="sgd(momentum=2)"), 2, "momentum")
    case(changed(base, optimizer="sgd(speed=2)"), 2, "speed", "momentum")
    case(changed(base, optimizer="sgd(momentum=0.9"), 2)
    case(changed(base, schedule="cosin()"), 2, "cosin", "cosine")
    case(changed(base, schedule="step(gamma=0.5, every=10)"), 2, "every", "ep")
    case(changed(base, schedule="step(gama=0.5)"), 2, "gama", "gamma")
    case(changed(base, schedule="warmup(50ep) * cosine()"), 2, "50ep")
    case(changed(base, schedule="cosine() *"), 2)
    case(changed(base, schedule=")("), 2)
    case(changed(base, model="vgg66"), 2, "vgg66", "vgg6")
    case(changed(base, device="nosuchdevice"), 3, "nosuchdevice")
    case(changed(base, plugin="/nonexistent.so"), 9, "/nonexistent.so")
    case([*base, "--speed", "3"], 2, "--speed")
    case(["trian"], 2, "train")
    case(["schedule", "show", "step(every=3)"], 2)
    case(["models", "--dump", "nothing"], 2, "tutorial")


def models(base, work):
    for text, word in (("conv 8 3x3\n", "input"), ("input 3 32 32\nconv 8\n", "line 2"),
                       ("input 3 32 32\nconv 8 3x3 groups=2\nflatten\ndense 10\n", "line 2"),
                       ("input 3 32 32\nconv 8 40x40\nflatten\ndense 10\n", "line 2"),
                       ("input 3 32 32\nconv 8 3x3\n", "dense"), ("input 3 32 32\nblur 3\n", "line 2"),
                       ("input 3 32 32\nflatten\ndense 999999999999\n", "line 3"), ("\0\1\2", "")):
        path = work / "bad.model"
        path.write_text(text)
        case(changed(base, model=path), 2, word)
    path = work / "bad.model"
    path.write_text("input 1 28 28\nflatten\ndense 10\n")
    case(changed(base, model=path), 2)
    path.write_text("input 3 32 32\nflatten\ndense 5\n")
    case(changed(base, model=path), 2)


def data(base, work):
    place = work / "data"
    place.mkdir()
    case(changed(base, data="cifar10:/nonexistent"), 4, "/nonexistent")
    case(changed(base, data=f"cifar10:{place}"), 4, "data_batch_1.bin")
    (place / "data_batch_1").write_bytes(b"\x80\x02")
    case(changed(base, data=f"cifar10:{place}"), 4, "python", "binary")
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    for name in names:
        (place / name).write_bytes(bytes(3073 * 4))
    (place / "data_batch_3.bin").write_bytes(bytes(3073 * 4 - 1))
    case(changed(base, data=f"cifar10:{place}"), 4, "data_batch_3.bin")
    (place / "data_batch_3.bin").write_bytes(b"\x0b" + bytes(3073 * 4 - 1))
    case(changed(base, data=f"cifar10:{place}"), 4, "data_batch_3.bin", "label")
    (place / "data_batch_3.bin").write_bytes(b"")
    case(changed(base, data=f"cifar10:{place}"), 4, "data_batch_3.bin")
    case(changed(base, data="synthetic:n=0"), 2)
    case(changed(base, data="synthetic:m=5"), 2, "m")
    case(changed(base, data="imagenet:/x"), 2, "cifar10")


def files(base, work, good):
    case(changed(base, init="/nonexistent.safetensors"), 5, "/nonexistent.safetensors")
    bad = work / "bad.safetensors"
    for content in (b"", b"x" * 100, struct.pack("<Q", 1 << 60) + b"{}", struct.pack("<Q", 2) + b"{}",
                    weights(good)[:-7], weights(good).replace(b"conv1.weight", b"konv1.weight")):
        bad.write_bytes(content)
        case(changed(base, init=bad), 5, "bad.safetensors")
    blob = bytearray(weights(good))
    blob[len(blob) // 2] ^= 1
    bad.write_bytes(bytes(blob))
    case(changed(base, init=bad), 5, "bad.safetensors")
    case(changed(base, out="/proc/nothing/here"), 7, "/proc/nothing")
    case(changed(base, save_weights="/nonexistent/w.safetensors"), 7, "/nonexistent")
    case(["train", "--resume", "/nonexistent"], 5, "/nonexistent")
    (work / "empty").mkdir()
    case(["train", "--resume", work / "empty"], 5)
    case(["train", "--resume", good, "--lr", "0.123"], 2, "lr")
    case(["eval", "--data", "synthetic", "--weights", "/nonexistent"], 5, "/nonexistent")


def nothing_lost(base, work, good):
    """A finished run is not written over; a damaged newest checkpoint falls back to the one before."""
    before = weights(good), history(good)
    case(changed(base, out=good), 2, str(good))
    if (weights(good), history(good)) != before:
        failures.append("a finished run was changed")
    out = work / "damaged"
    words = changed(training(work, out), max_steps="20")
    run(*words)
    saved = sorted(out.rglob("*.safetensors"), key=lambda p: p.stat().st_mtime_ns)
    if len(saved) < 2:
        failures.append(f"only {len(saved)} checkpoints")
        return
    blob = saved[-1].read_bytes()
    saved[-1].write_bytes(blob[:len(blob) // 2])
    done = run("train", "--resume", out, "--save-weights", f"{out}.safetensors", "--progress", "none")
    if saved[-1].name not in done.stderr + done.stdout:
        failures.append("a damaged checkpoint was not named")
        print(f"not ok damaged checkpoint was not named: {done.stderr}")
    whole = work / "whole"
    run(*training(work, whole))
    if weights(out) != weights(whole):
        failures.append("after a damaged checkpoint the run differs")
    for path in out.rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:100])
    case(["train", "--resume", out], 5)


def full_disk(base, work):
    """A file system with no room for the second checkpoint; the first one stays good."""
    place = work / "small-disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)],
                      capture_output=True).returncode:
        print("no mounts here: the full disk is left out")
        return
    try:
        out = place / "run"
        case(changed(base, out=out, save_weights=work / "full.safetensors", checkpoint_every="1st"), 7, "run")
        if list(out.rglob("*.tmp*")):
            failures.append("a temporary file was left behind")
    finally:
        subprocess.run(["umount", str(place)], capture_output=True)


def devices(base, work):
    for directory in ("/nonexistent", str(work)):
        case(base, 3, directory, "apt", env=environment(OCL_ICD_VENDORS=directory))
    run(*changed(base, out=work / "nocache", save_weights=work / "nocache.safetensors", epochs="1"),
        env=environment(HOME="/nonexistent", XDG_CACHE_HOME=None, POCL_CACHE_DIR=None))
    for traits in ("family=gpu,max_work_group=64,local_bytes=16384", "vector_width=4"):
        run(*changed(base, out=work / f"t{len(traits)}", save_weights=work / f"t{len(traits)}.safetensors",
                     epochs="1"), env=environment(LEHR_TRAITS=traits))


def divergence(base, work):
    out = work / "diverged"
    case(changed(base, lr="1e6", optimizer="sgd", clip_norm="1e9", schedule="constant()", out=out,
                 save_weights=work / "d.safetensors"), 6, "update", "1e+06", "layer", "find-lr")
    rows = (out / "history.jsonl").read_text().splitlines() if out.exists() else []
    if not rows or not all(json.loads(row) for row in rows):
        failures.append("the history of a diverged run is gone")


def main():
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        write_model(work)
        good = work / "good"
        base = training(work, good, epochs="1", schedule="constant()")
        run(*base)
        base = changed(base, out=work / "unused", save_weights=work / "unused.safetensors")
        values(base)
        models(base, work)
        data(base, work)
        files(base, work, good)
        nothing_lost(base, work, good)
        full_disk(base, work)
        devices(base, work)
        divergence(base, work)
    print(f"{len(failures)} failed: {failures}" if failures else "all refused as documented")
    return 1 if failures else 0


sys.exit(main())
