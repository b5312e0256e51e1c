/* SPDX-License-Identifier: MIT
 *
 * The CLBlast backend, the only file that knows this library.  It stands behind our own tiles: those
 * are tested on the device they run on, take no lock, fuse bias and ReLU, and sum in an order that
 * does not change with the library's version; LEHR_VARIANT=gemm=clblast (dense.forward=clblast, …)
 * asks for it where its tuned parameters are better.
 * CLBlast works in order on our queue and keeps its own cache of programs, which releases up to 1.5.3
 * do not guard: calls are serialised.  Some releases gave wrong products on some devices: the first
 * use on a device multiplies known matrices and refuses the device if the result is wrong. */
#include "kernels/gemm/matmul.h" /* first: it says which OpenCL version is wanted */

#include <clblast_c.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

enum { EPILOGUE };
enum { LOCAL };
enum { UNKNOWN, RIGHT, WRONG }; /* the finding */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards CLBlast's process-wide caches */

static const char *declines(const void *problem, const lh_traits *traits)
{
    (void)problem;
    return traits->max_work_group >= 64 ? NULL : "CLBlast's kernels need work-groups of 64";
}

static lehr_status multiply(lehr_device *dev, const lh_matmul *p)
{
    size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
    cl_command_queue queue = lh_device_queue(dev);
    cl_event event = NULL;
    pthread_mutex_lock(&lock);
    CLBlastStatusCode code = CLBlastSgemm(
        CLBlastLayoutRowMajor, p->trans_a ? CLBlastTransposeYes : CLBlastTransposeNo,
        p->trans_b ? CLBlastTransposeYes : CLBlastTransposeNo, m, n, k, p->alpha, p->a, 0,
        p->trans_a ? m : k, p->b, 0, p->trans_b ? k : n, p->beta, p->c, 0, n, &queue,
        lh_profile_on(dev) ? &event : NULL);
    pthread_mutex_unlock(&lock);
    if (code == CLBlastSuccess) return lh_launch_foreign(dev, event);
    return lh_fail(lh_device_context(dev), LEHR_E_DEVICE,
                   "CLBlastSgemm of %zux%zux%zu failed with status %d: leave it out, "
                   "LEHR_VARIANT=gemm=tiled (or plain)", m, n, k, (int)code);
}

/* ---- self-check ---- */

/* Small integers: every partial sum is exact in float, so that the comparison needs no tolerance
 * beyond that of a different order. */
static float sample(size_t i) { return (float)((i * 2654435761u >> 7) % 17) - 8.0f; }

static bool product_is_right(const lh_matmul *p, const float *c)
{
    size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t l = 0; l < k; l++)
                sum += (double)sample(p->trans_a ? l * m + i : i * k + l) *
                       (double)sample(p->trans_b ? j * k + l : l * n + j);
            if (!(fabs((double)c[i * n + j] - sum) <= 1e-3)) return false;
        }
    return true;
}

static lehr_status try_product(lehr_device *dev, lh_matmul *p, float *host, bool *right)
{
    size_t m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
    size_t most = m * k > k * n ? m * k : k * n;
    for (size_t i = 0; i < most; i++) host[i] = sample(i);
    lehr_status st = lh_buffer_create(dev, m * k * sizeof(float), &p->a);
    if (st == LEHR_OK) st = lh_buffer_create(dev, k * n * sizeof(float), &p->b);
    if (st == LEHR_OK) st = lh_buffer_create(dev, m * n * sizeof(float), &p->c);
    if (st == LEHR_OK) st = lh_buffer_write(dev, p->a, 0, m * k * sizeof(float), host);
    if (st == LEHR_OK) st = lh_buffer_write(dev, p->b, 0, k * n * sizeof(float), host);
    if (st == LEHR_OK) st = multiply(dev, p);
    if (st == LEHR_OK) st = lh_buffer_read(dev, p->c, 0, m * n * sizeof(float), host);
    *right = st == LEHR_OK && product_is_right(p, host);
    lh_buffer_free(&p->a);
    lh_buffer_free(&p->b);
    lh_buffer_free(&p->c);
    return st;
}

/* CLBlast has two kernels, for small products and for large ones (on the CPU family from 192^3): one
 * case each. */
static lehr_status self_check(lehr_device *dev, bool *right)
{
    lh_matmul cases[] = {{.m = 33, .n = 70, .k = 45, .trans_a = true, .alpha = 1},
                         {.m = 260, .n = 200, .k = 200, .trans_b = true, .alpha = 1}};
    float *host = lh_alloc(lh_device_context(dev), (size_t)260 * 200, sizeof *host);
    lehr_status st = host ? LEHR_OK : LEHR_E_MEMORY;
    *right = true;
    for (size_t i = 0; i < LH_COUNT(cases) && st == LEHR_OK && *right; i++)
        st = try_product(dev, &cases[i], host, right);
    free(host);
    return st;
}

/* CLBlast's own parameters for processors are guesses.  These, found by measuring, keep a tile of 16 x 8 in
 * registers without local memory: four to six times as fast on the CPU family.  They are set once for a
 * device, before its first product: CLBlast drops all its compiled programs at each change. */
static void set_parameters(lehr_device *dev)
{
    static const char *names[] = {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB",
                                  "NDIMC", "NWG", "SA", "SB", "STRM", "STRN", "VWM", "VWN"};
    static const size_t values[] = {0, 1, 16, 2, 8, 8, 128, 8, 8, 64, 0, 0, 0, 0, 8, 8};
    if (lh_needs_cpu_family(lh_device_traits(dev))) return;
    pthread_mutex_lock(&lock);
    cl_device_id id = lh_device_id(dev);
    CLBlastStatusCode code = CLBlastOverrideParameters(id, "Xgemm", CLBlastPrecisionSingle,
                                                       LH_COUNT(names), names, values);
    if (code == CLBlastSuccess) /* below it the kernel for small products, 8 GFLOP/s, would be taken */
        code = CLBlastOverrideParameters(id, "GemmRoutine", CLBlastPrecisionSingle, 1,
                                         (const char *[]){"XGEMM_MIN_INDIRECT_SIZE"},
                                         (const size_t[]){192});
    pthread_mutex_unlock(&lock);
    if (code != CLBlastSuccess)
        lh_log(lh_device_context(dev), LEHR_LOG_INFO, "CLBlast keeps its own parameters (status %d)",
               (int)code);
}

static lehr_status prepare(lh_exec *e, const lh_matmul *largest)
{
    static const char finding[] = "clblast product";
    (void)largest;
    if (lh_finding_get(e->dev, finding) == UNKNOWN) {
        bool right = false;
        set_parameters(e->dev);
        lehr_status st = self_check(e->dev, &right);
        if (st == LEHR_OK) st = lh_finding_set(e->dev, finding, right ? RIGHT : WRONG);
        if (st != LEHR_OK) return st;
    }
    if (lh_finding_get(e->dev, finding) == WRONG)
        return lh_fail(lh_device_context(e->dev), LEHR_E_UNSUPPORTED,
                       "CLBlast gives a wrong matrix product on this device: leave it out, "
                       "LEHR_VARIANT=%s=tiled (or plain)", e->op->name);
    e->number[LOCAL] = (int64_t)lh_local_size(lh_device_traits(e->dev), 128);
    return lh_exec_kernel(e, EPILOGUE, "gemm/epilogue.cl", "matmul_epilogue", "-DLOCAL=%d",
                          (int)e->number[LOCAL]);
}

static lehr_status run(lh_exec *e, const lh_matmul *p)
{
    size_t count = (size_t)p->m * (size_t)p->n;
    lehr_status st = multiply(e->dev, p);
    if (st != LEHR_OK || lh_matmul_flags(p) == 0) return st;
    st = lh_kernel_args(e->dev, e->kernels[EPILOGUE], "mmlii", p->c, p->bias, (uint64_t)count, p->n,
                        lh_matmul_flags(p));
    return st != LEHR_OK
               ? st
               : lh_launch_1d(e->dev, e->kernels[EPILOGUE], count, (size_t)e->number[LOCAL]);
}

const lh_matmul_backend lh_matmul_clblast = {declines, prepare, run};
