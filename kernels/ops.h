/* SPDX-License-Identifier: MIT
 *
 * The list of all ops: one word each.  Defined in kernels/<op>/<op>.c. */
#ifndef LH_OPS_H
#define LH_OPS_H

#define LH_OPS(X)                                                                                  \
    X(lh_activation_backward)                                                                      \
    X(lh_activation_forward)                                                                       \
    X(lh_add_forward)                                                                              \
    X(lh_batch)                                                                                    \
    X(lh_batchnorm_backward)                                                                       \
    X(lh_batchnorm_eval)                                                                           \
    X(lh_batchnorm_train)                                                                          \
    X(lh_conv_backward_data)                                                                       \
    X(lh_conv_backward_filter)                                                                     \
    X(lh_control)                                                                                  \
    X(lh_conv_forward)                                                                             \
    X(lh_dense_backward_data)                                                                      \
    X(lh_dense_backward_filter)                                                                    \
    X(lh_dense_forward)                                                                            \
    X(lh_dropout_backward)                                                                         \
    X(lh_dropout_forward)                                                                          \
    X(lh_flatten_backward)                                                                         \
    X(lh_flatten_forward)                                                                          \
    X(lh_gemm)                                                                                     \
    X(lh_loss)                                                                                     \
    X(lh_pool_backward)                                                                            \
    X(lh_pool_forward)                                                                             \
    X(lh_reduce_all)                                                                               \
    X(lh_shortcut_backward)                                                                        \
    X(lh_shortcut_forward)                                                                         \
    X(lh_vector)

#endif
