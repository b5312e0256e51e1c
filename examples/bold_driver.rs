// SPDX-License-Identifier: MIT
//
// A schedule as a plugin in Rust: the bold driver (Vogl et al. 1988).  The rate grows a little after each
// measurement that is better than the last one and falls sharply after one that is not.
//   rustc --edition 2021 --crate-type cdylib -O -C panic=abort -o lehr-bold_driver.so bold_driver.rs -lm
//   lehr train --plugin ./lehr-bold_driver.so --schedule 'bold_driver()' --data synthetic --epochs 5
//
// The structs repeat those of lehr/plugin.h field by field; what C leaves out as 0 is written out.
#![no_std]
#![allow(dead_code)]
use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::null;

type Text = *const u8; // const char *

#[repr(C)]
struct Span {
    at: *const c_void,
    count: u32,
    stride: u32,
}
#[repr(C)]
struct Param {
    name: Text,
    doc: Text,
    def: f64,
    min: f64,
    max: f64,
    kind: u32,
    flags: u32,
    choices: *const Text,
    text: Text,
}
#[repr(C)]
struct Var {
    name: Text,
    doc: Text,
    init: f64,
    flags: u32,
    reserved: u32,
}
#[repr(C)]
struct Progress {
    size: u32,
    flags: u32,
    host: *const c_void,
    instance: *mut c_void,
    p: *const f64,
    lists: *const c_void,
    base: f64,
    seed: u64,
    step: u64,
    samples: u64,
    epoch: f64,
    steps_per_epoch: u64,
    total_steps: u64,
}
#[repr(C)]
struct Metric {
    size: u32,
    better: i32,
    name: Text,
    value: f64,
}
#[repr(C)]
struct Schedule {
    size: u32,
    flags: u32,
    name: Text,
    doc: Text,
    params: Span,
    state: Span,
    value: extern "C" fn(*const Progress, *const f64) -> f64,
    observe: extern "C" fn(*const Progress, *const Metric, *mut f64) -> i32,
    metric: Text,
    check: *const c_void,
    create: *const c_void,
    destroy: *const c_void,
    ext: *const c_void,
    presets: Span,
}
#[repr(C)]
struct Plugin {
    size: u32,
    abi: u32,
    id: Text,
    version: Text,
    license: Text,
    url: Text,
    schedules: *const *const Schedule,
    optimizers: *const c_void,
    schedule_count: u32,
    optimizer_count: u32,
    ext: *const c_void,
}
// Constants: nothing here is ever written.
struct Constant<T>(T);
unsafe impl<T> Sync for Constant<T> {}

const NONE: Span = Span { at: null(), count: 0, stride: 0 };
const fn real(name: Text, doc: Text, def: f64, min: f64, max: f64) -> Param {
    Param { name, doc, def, min, max, kind: 0, flags: 0, choices: null(), text: null() }
}
const fn var(name: Text, doc: Text, init: f64) -> Var {
    Var { name, doc, init, flags: 0, reserved: 0 }
}
macro_rules! c {
    ($text:literal) => {
        concat!($text, "\0").as_ptr()
    };
}

const GROW: usize = 0;
const SHRINK: usize = 1;
static PARAMS: Constant<[Param; 2]> = Constant([
    real(c!("grow"), c!("factor after a better measurement"), 1.05, 1.0, 2.0),
    real(c!("shrink"), c!("factor after a worse one"), 0.5, 0.0, 1.0),
]);
const FACTOR: usize = 0;
const LAST: usize = 1;
const SEEN: usize = 2;
static STATE: Constant<[Var; 3]> = Constant([
    var(c!("factor"), c!("product of the factors"), 1.0),
    var(c!("last"), c!("last measurement"), 0.0),
    var(c!("seen"), c!("1: there is one"), 0.0),
]);

extern "C" fn value(t: *const Progress, s: *const f64) -> f64 {
    unsafe { (*t).base * *s.add(FACTOR) }
}

extern "C" fn observe(t: *const Progress, m: *const Metric, s: *mut f64) -> i32 {
    unsafe {
        let (p, now, last) = ((*t).p, (*m).value, *s.add(LAST));
        let better = if (*m).better > 0 { now > last } else { now < last };
        if *s.add(SEEN) != 0.0 {
            *s.add(FACTOR) *= if better { *p.add(GROW) } else { *p.add(SHRINK) };
        }
        if now.is_finite() {
            *s.add(LAST) = now;
            *s.add(SEEN) = 1.0;
        }
    }
    0
}

static SCHEDULE: Constant<Schedule> = Constant(Schedule {
    size: size_of::<Schedule>() as u32,
    flags: 0,
    name: c!("bold_driver"),
    doc: c!("lr = base * grow^better * shrink^worse"),
    params: Span {
        at: &PARAMS as *const _ as *const c_void,
        count: 2,
        stride: size_of::<Param>() as u32,
    },
    state: Span { at: &STATE as *const _ as *const c_void, count: 3, stride: size_of::<Var>() as u32 },
    value,
    observe,
    metric: c!("train.loss"),
    check: null(),
    create: null(),
    destroy: null(),
    ext: null(),
    presets: NONE,
});
static SCHEDULES: Constant<[*const Schedule; 1]> = Constant([&SCHEDULE.0 as *const Schedule]);
static PLUGIN: Constant<Plugin> = Constant(Plugin {
    size: size_of::<Plugin>() as u32,
    abi: 1 << 16,
    id: c!("org.example.bold-driver"),
    version: c!("1.0"),
    license: c!("MIT"),
    url: null(),
    schedules: &SCHEDULES.0 as *const *const Schedule,
    optimizers: null(),
    schedule_count: 1,
    optimizer_count: 0,
    ext: null(),
});

#[no_mangle]
extern "C" fn lehr_plugin_v1() -> *const c_void {
    &PLUGIN.0 as *const Plugin as *const c_void
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
