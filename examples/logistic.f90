! SPDX-License-Identifier: MIT
!
! A schedule as a plugin in Fortran 2008: the rate falls along a logistic curve of the whole run.
!   echo '{ global: lehr_plugin_v1; local: *; };' >logistic.map
!   gfortran -std=f2008 -O2 -fPIC -shared -Wl,--version-script=logistic.map -o lehr-logistic.so logistic.f90
!   lehr schedule plot 'logistic(middle=0.6)' --plugin ./lehr-logistic.so --epochs 30
!
! The types repeat the structs of lehr/plugin.h field by field.  Fortran cannot write the addresses of
! texts into constants, so the first call of lehr_plugin_v1 does; every call writes the same.
module logistic
    use, intrinsic :: iso_c_binding
    implicit none
    private

    type, bind(c) :: span
        type(c_ptr) :: at = c_null_ptr
        integer(c_int32_t) :: count = 0, stride = 0
    end type
    type, bind(c) :: param
        type(c_ptr) :: name, doc
        real(c_double) :: def, min, max
        integer(c_int32_t) :: kind = 0, flags = 0
        type(c_ptr) :: choices = c_null_ptr, text = c_null_ptr
    end type
    type, bind(c) :: progress
        integer(c_int32_t) :: size, flags
        type(c_ptr) :: host, self, p, lists
        real(c_double) :: base
        integer(c_int64_t) :: seed, step, samples
        real(c_double) :: epoch
        integer(c_int64_t) :: steps_per_epoch, total_steps
    end type
    type, bind(c) :: schedule
        integer(c_int32_t) :: size, flags
        type(c_ptr) :: name, doc
        type(span) :: params, state
        type(c_funptr) :: value, observe = c_null_funptr
        type(c_ptr) :: metric = c_null_ptr
        type(c_funptr) :: check = c_null_funptr, create = c_null_funptr
        type(c_funptr) :: destroy = c_null_funptr, ext = c_null_funptr
        type(span) :: presets
    end type
    type, bind(c) :: plugin
        integer(c_int32_t) :: size, abi
        type(c_ptr) :: id, version, license = c_null_ptr, url = c_null_ptr
        type(c_ptr) :: schedules, optimizers = c_null_ptr
        integer(c_int32_t) :: schedule_count, optimizer_count = 0
        type(c_funptr) :: ext = c_null_funptr
    end type

    integer(c_int32_t), parameter :: needs_total = 65536 ! LEHR_S_NEEDS_TOTAL
    integer, parameter :: steepness = 1, middle = 2
    character(kind=c_char), parameter :: z = c_null_char
    character(len=9, kind=c_char), target, save :: t_name = 'logistic' // z
    character(len=57, kind=c_char), target, save :: t_doc = &
        'lr = base / (1 + exp(steepness (step / total - middle)))' // z
    character(len=10, kind=c_char), target, save :: t_steepness = 'steepness' // z
    character(len=21, kind=c_char), target, save :: t_steepness_doc = 'how fast the fall is' // z
    character(len=7, kind=c_char), target, save :: t_middle = 'middle' // z
    character(len=42, kind=c_char), target, save :: t_middle_doc = &
        'share of the run after which half is left' // z
    character(len=21, kind=c_char), target, save :: t_id = 'org.example.logistic' // z
    character(len=4, kind=c_char), target, save :: t_version = '1.0' // z
    type(param), target, save :: params(2)
    type(schedule), target, save :: the_schedule
    type(c_ptr), target, save :: list(1)
    type(plugin), target, save :: the_plugin
    public :: lehr_plugin_v1

contains

    function value(t, s) result(lr) bind(c, name='')
        type(progress), intent(in) :: t
        type(c_ptr), value :: s ! state: there is none
        real(c_double) :: lr, share
        real(c_double), pointer :: p(:)
        call c_f_pointer(t%p, p, [2])
        share = 0
        if (t%total_steps > 0) share = real(t%step, c_double) / real(t%total_steps, c_double)
        lr = t%base / (1 + exp(p(steepness) * (min(share, 1.0_c_double) - p(middle))))
    end function

    function lehr_plugin_v1() result(out) bind(c)
        type(c_ptr) :: out
        params(steepness) = param(c_loc(t_steepness), c_loc(t_steepness_doc), 12d0, 0d0, 1000d0)
        params(middle) = param(c_loc(t_middle), c_loc(t_middle_doc), 0.5d0, 0d0, 1d0)
        the_schedule%size = int(c_sizeof(the_schedule), c_int32_t)
        the_schedule%flags = needs_total
        the_schedule%name = c_loc(t_name)
        the_schedule%doc = c_loc(t_doc)
        the_schedule%params = span(c_loc(params), 2, int(c_sizeof(params(1)), c_int32_t))
        the_schedule%value = c_funloc(value)
        list(1) = c_loc(the_schedule)
        the_plugin%size = int(c_sizeof(the_plugin), c_int32_t)
        the_plugin%abi = 65536
        the_plugin%id = c_loc(t_id)
        the_plugin%version = c_loc(t_version)
        the_plugin%schedules = c_loc(list)
        the_plugin%schedule_count = 1
        out = c_loc(the_plugin)
    end function
end module
