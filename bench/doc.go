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
//	dynamic/FORMAT/block32          observe and quantize: the scales are computed, as package quant does it
//
// FORMAT is int8, int4, e4m3, e5m2 or e2m1 with a byte for each code; int4packed and e2m1packed have half a byte, mxfp8 is e4m3 and mxfp4 is
// e2m1packed with powers of two as scales. All but the last three kinds have one group, unless a suffix follows: /blockN is groups of N
// adjacent elements, /lanes a matrix of up to 1024 columns with a group for each. Tensors are float32, unless /f16 or /bf16 follows after that.
//
// # What is measured
//
// The elements are uniform in [-2.5, 2.5). The scale is .0200003, for int4 .3200003 and for e2m1 the power of two .5: then none is clipped but
// by rounding. Zero points are 0. A kernel runs in rounds, in turn with a copy of the same bytes, and the best round of each counts. All
// memory was touched before, and no two buffers begin at the same place of a page.
//
// The copy reads as many bytes as the operation does and writes as many, by the fastest of several ways that Go's runtime has to copy, to
// compare and to clear memory. Parameters count, if there is more than one group.
//
// Several workers have a share of the elements each, and do not wait for one another within a round.
package bench
