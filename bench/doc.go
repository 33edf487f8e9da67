// Package bench is one table of operations, behind go test -bench and behind lowbit bench.
//
// # Names
//
//	fakequantize/FORMAT/bytemask    quantize and dequantize, with a mask of a byte per element
//	fakequantize/FORMAT/bitmask     with a mask of a bit per element
//	fakequantize/FORMAT/nomask
//	quantize/FORMAT                 to codes
//	dequantize/FORMAT               from codes
//	minmax                          the least and the greatest element
//	backward/bytemask, /bitmask     the straight-through gradient
//	encode/TYPE, decode/TYPE        plain conversions from and to float32
//	pack/int4, unpack/int4          codes of int8, two to a byte or, with int2, four
//	dynamic/FORMAT/blockN           observe and quantize: the scales are computed
//	quantize/TYPE, dequantize/TYPE  blocks of GGUF files, q8_0 to iq4_xs: the scales are computed
//	quantize/TYPE/imatrix           with an importance matrix
//	quant/quantize/int8 and so on   the same by package quant, with scales that are given
//	search/int4/block32             41 ranges are tried for each block, and the one with the least error quantizes it
//	histogram/bf16                  elements are counted by value
//	stochastic/int8                 quotients are rounded at random to one of the integers next to them
//	small/NAME                      one call of n elements, for -n of few: quantize/int8, dequantize/int8, minmax, encode/f16,
//	                                quant/quantize/int8
//	mx/KIND/FORMAT/LIBRARY          KIND is dynamic, quantize, dequantize, dequantize/bytes (the scales are a byte each) or
//	                                fakequantize with a byte mask; FORMAT is mxfp8, mxfp6, mxfp4 or nvfp4, in the arithmetic of
//	                                a rule of torchao or of another library
//	wide/KIND/FORMAT                integers of six and of sixteen bits
//	scales/KIND/FORMAT/TYPE         blocks of 32 with scales of TYPE: dynamic rounds them to it, dequantize decodes them from it
//	library/KIND/FORMAT/LIBRARY     int8 and e4m3 in blocks of 32, in the arithmetic of other libraries
//
// FORMAT is int8, int4, e4m3, e5m2 or e2m1 with a byte for each code; int4packed, uint4packed and e2m1packed have half a byte, int2packed and
// uint2packed a quarter; mxfp8 is e4m3 and mxfp4 is e2m1packed with powers of two as scales, mxfp6 six-bit floats in three
// quarters of a byte by torchao's rule, /rceil another of its rules, nvfp4 e2m1packed with scales of e4m3 and one of the tensor, which is given; uint8asym is uint8 with zero points. All but the
// last kinds have one group, unless a suffix follows: /blockN is groups of N adjacent elements, /lanes a matrix of up to 1024 columns with
// a group for each, and with package quant /axis0 such a matrix with a group for 32 elements below one another, /square one with a group for
// 32 times 32. Tensors are float32, unless /f16 or /bf16 follows after that.
//
// # What is measured
//
// The elements are uniform in [-2.5, 2.5). The scale is .0200003, for four bits .3200003, for two 1.2800012 and for e2m1 the power of two .5:
// then none is clipped but by rounding. Zero points are 0, those of unsigned codes in the middle. A kernel runs in rounds of a quarter of a
// millisecond or more, in turn with copies of the same bytes, and the best round of each counts. Before the clock starts the work is done once, as what others did in between has taken its place in the caches,
// unless a round is one run. All memory was touched before, and no two buffers begin at the same place of a page.
//
// A copy reads as many bytes as the operation does and writes as many, from one buffer and to another, and does nothing else: its loop is a
// vector load for each register of what is read and a store for each of what is written, in the order in which a kernel would do them. What
// it writes is what it read, so much of it as there is to write, or again. It is done with the registers of each implementation that the machine
// has assembly for, with plain stores and with non-temporal ones, which go past the caches; the fastest of all is the copy, whatever the
// implementation of the kernel. For proportions for which there is no loop, those next to them on either side take turns every 64 KiB. Kernel
// and copy are called from Go, which takes some 5 ns: 7% of reading 4096 float32, and nothing of larger ones. Where there is no assembly, the
// copy is the fastest of several ways that Go's runtime has to copy, to compare and to clear memory. Parameters count, if there is more than
// one group.
//
// Several workers have a share of the elements each, and do not wait for one another within a round.
package bench
