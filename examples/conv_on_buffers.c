/* SPDX-License-Identifier: MIT
 *
 * One convolution on an application's own OpenCL buffers and queue: lehr adopts what is there, adds no
 * context of its own, and its kernels run in order with the application's. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <lehr/lehr.h>
#include <math.h>
#include <stdio.h>

enum { N = 2, C = 3, SIZE = 8, K = 4, R = 3, PIXELS = N * SIZE * SIZE };
enum { X, W, BIAS, Y, OPERANDS }; /* the operands of conv.forward, in order */

static cl_mem buffer(cl_context cl, size_t count, float *from)
{
    cl_mem_flags flags = CL_MEM_READ_WRITE | (from ? CL_MEM_COPY_HOST_PTR : 0);
    return clCreateBuffer(cl, flags, count * sizeof(float), from, NULL);
}

/* One output value by definition: y = relu(bias + sum x * w), x NHWC, w [k][c][r][s], padding 1. */
static double by_hand(const float *x, const float *w, const float *bias, int p, int q, int k)
{
    double sum = bias[k];
    for (int c = 0; c < C; c++)
        for (int r = 0; r < R; r++)
            for (int s = 0; s < R; s++) {
                int i = p + r - 1, j = q + s - 1;
                if (i < 0 || j < 0 || i >= SIZE || j >= SIZE) continue;
                sum += (double)x[(i * SIZE + j) * C + c] * (double)w[((k * C + c) * R + r) * R + s];
            }
    return sum > 0 ? sum : 0;
}

static lehr_status convolve(lehr_device *device, cl_mem *mem)
{
    lehr_op *conv = NULL;
    lehr_status st = lehr_op_create(device, "conv.forward",
                                    "n=2 c=3 h=8 w=8 k=4 r=3 s=3 pad=1 bias=1 act=relu", &conv);
    void *buffers[OPERANDS] = {mem[X], mem[W], mem[BIAS], mem[Y]};
    lehr_op_args args = {.buffers = buffers, .buffer_count = OPERANDS};
    if (!st) st = lehr_op_run(conv, &args);
    if (!st) printf("conv.forward ran as '%s'\n", lehr_op_variant(conv));
    lehr_op_destroy(&conv);
    return st;
}

int main(void)
{
    cl_platform_id platforms[8];
    cl_device_id id = NULL;
    cl_uint count = 0;
    clGetPlatformIDs(8, platforms, &count);
    for (cl_uint i = 0; i < count && i < 8 && !id; i++)
        if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &id, NULL) != CL_SUCCESS) id = NULL;
    if (!id) return 3;
    cl_context cl = clCreateContext(NULL, 1, &id, NULL, NULL, NULL);
    cl_command_queue queue = clCreateCommandQueue(cl, id, 0, NULL);

    static float x[PIXELS * C], w[K * C * R * R], bias[K], y[PIXELS * K];
    for (int i = 0; i < PIXELS * C; i++) x[i] = (float)sin(i);
    for (int i = 0; i < K * C * R * R; i++) w[i] = (float)cos(i);
    for (int i = 0; i < K; i++) bias[i] = 0.1f * (float)i;
    cl_mem mem[OPERANDS] = {buffer(cl, PIXELS * C, x), buffer(cl, K * C * R * R, w),
                            buffer(cl, K, bias), buffer(cl, PIXELS * K, NULL)};

    lehr_context *ctx = NULL;
    lehr_device *device = NULL;
    lehr_status st = lehr_context_create(NULL, &ctx);
    if (!st) st = lehr_device_adopt(ctx, cl, id, queue, &device);
    if (!st) st = convolve(device, mem);
    if (st) fprintf(stderr, "conv_on_buffers: %s\n", lehr_context_message(ctx));
    clEnqueueReadBuffer(queue, mem[Y], CL_TRUE, 0, sizeof y, y, 0, NULL, NULL);
    double worst = 0;
    for (int i = 0; i < SIZE * SIZE * K; i++) {
        double error = fabs((double)y[i] - by_hand(x, w, bias, i / K / SIZE, i / K % SIZE, i % K));
        if (!(error <= worst)) worst = error;
    }
    printf("largest difference from the definition: %.2g\n", worst);
    lehr_device_destroy(&device);
    lehr_context_destroy(&ctx);
    for (int i = 0; i < OPERANDS; i++) clReleaseMemObject(mem[i]);
    clReleaseCommandQueue(queue);
    clReleaseContext(cl);
    return st ? lehr_status_exit_code(st) : !(worst <= 1e-4);
}
