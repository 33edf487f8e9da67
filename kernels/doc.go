// Package kernels quantizes slices: integer and small float formats, groups
// with parameters of their own, and the straight-through gradient. It takes
// scales and zero points as they are, or chooses them by a rule, allocates
// nothing and returns nothing; package quant keeps them.
//
// # Formulas
//
// With s the group's scale, and (qo, fo) = (zero point, 0), or (Min, minval) if
// minvals are given:
//
//	integers       r = round((x - fo) / s) + qo     mask = Min <= r <= Max     q = clamp(r, Min, Max)
//	               y = (q - qo)*s + fo
//	floats         r = x / s                        mask = -max <= r <= max    q = cast(clamp(r, -max, max))
//	               y = q*s
//	backward       dx = dy * mask
//
// Quantize writes q, Dequantize y from q, FakeQuantize y and the mask from x.
// These are the formulas of coreai-opt 0.4.0 (coreai_opt.quantization.spec) in
// IEEE float32: each operation is rounded by itself, a division is a division
// and no product with the reciprocal, products and sums are not contracted,
// and round is to the nearest integer, half to even. Every implementation
// gives the same bits.
//
// Elements are float32, float16 or bfloat16. The two-byte types are widened,
// computed in float32 and rounded once on the way out, half to even.
//
// NaN: y is NaN, the mask 0, an integer code 0, the code of a float format NaN;
// E2M1Packed, E2M3 and E3M2 have no NaN and have the code 0. Infinity is clamped, its mask is
// 0. An integer format gives -0 only by rounding to a two-byte type or from a
// minval of -0, a float format keeps the sign of zero. A scale that is zero, negative, infinite or NaN is no error:
// the result is what IEEE arithmetic makes of it.
//
// Machines differ in the NaNs of their arithmetic; the implementations do not. A
// conversion (Encode, Decode) keeps a NaN's sign and what there is room for of its
// payload, and makes it quiet; a bfloat16 becomes the upper half of a float32,
// whatever it is. All that is computed has the one NaN without sign and payload:
// 0x7FC00000 in float32, 0x7E00 in float16, 0x7FC0 in bfloat16, the code 0x7F.
//
// # Groups
//
// A [Grid] cuts a slice into groups: Rows rows of Groups adjacent groups of Len
// adjacent elements, and group g of every row has element g of each parameter
// slice. Any tiling of a row-major tensor can be written so:
//
//	one scale for the tensor           Grid{Rows: 1, Groups: 1, Len: n}
//	one per row of an r x c matrix     Grid{Rows: 1, Groups: r, Len: c}
//	one per column                     Grid{Rows: r, Groups: c, Len: 1}
//	blocks of 32 along the rows        Grid{Rows: 1, Groups: r * c/32, Len: 32}
//	blocks of 32 along the columns     r/32 calls, each with Grid{Rows: 32, Groups: c, Len: 1}
//
// # Parameters
//
// An [IntRule] and a [FloatRule] say how parameters follow from a group's range.
// Choose takes ranges, Observe finds them, and Dynamic observes and quantizes in
// one, reading memory once.
//
// # Dialects
//
// Libraries that write the same formats do not write the same bits. A [Dialect] says
// whose bits a rule and its parameters give; the arithmetic is float32, each
// operation rounded by itself, T the tensor's element type, m the largest magnitude
// of a group, max the format's largest value and 2^p that value's exponent.
//
//	dialect               scale
//	Reference             ScaleAny, ScaleE8M0: see IntRule and FloatRule
//	TorchAO               ScaleE8M0, b its byte; E the exponent field of m, c the rest of its bits
//	                        ScaleFloor    b = E - p
//	                        ScaleEven     b = E - p, of m rounded to the format's mantissa bits, half up
//	                        ScaleCeil     b = E - p, one more if c > 0
//	                        ScaleRCeil    2^ceil(log2(m/max)), the logarithm a rounded float32; 2^-127 at least
//	                      ScaleE4M3FN         s = E4M3FN(clamp(m/6, 2^-6, 448))
//	                      ScaleE4M3FNGlobal   s = E4M3FN(clamp((m/6)/g, 2^-6, 448)), g = GlobalScale
//	ModelOpt              ScaleE8M0           2^ceil(log2(m/max)), the same logarithm
//	                      ScaleE4M3FNGlobal   s = E4M3FN(clamp(m/(6*g), 2^-9, 448)), 1 for m = 0
//	CompressedTensors     ScaleAny            T(m/max), of integers T(m/(n/2)); the epsilon of T for 0
//	                      ScaleE8M0           b = E - q, of m rounded to 1 mantissa bit, half up: q = 2 of E2M1, 8 of E4M3FN;
//	                                          to 3 bits, q = 2, of E2M3
//	                      ScaleE4M3FNGlobal   s = E4M3FN(g * T(m/6)), 0.125 for 0
//	CompressedTensorsF32  the same
//	Transformers          ScaleAny            1/f with f = (1/m)*448, 1 for m = 0
//	                      ScaleE8M0           2^ceil(log2(1/f))
//	Torch                 integers: the reference's
//
//	dialect               what is clamped and rounded                     value
//	Reference             x / s                                           q*s
//	TorchAO               x * (1/s); x * ((1/g)/s)                        q*s; q*(g*s)
//	ModelOpt              x * (1/s); x / (s*g)                            q*s; q*(s*g)
//	CompressedTensors     T(x / s), T(T(x/s) + z); x / (s/g)              q*s, (q-z)*s; q*(s/g)
//	CompressedTensorsF32  x / s, x/s + z; x / (s/g)                       the same
//	Transformers          x * f                                           q*s
//	Torch                 round(x * (1/s)) + z                            (q-z)*s
//
// Rounding is to nearest, half to even, but for E2M1 with ModelOpt's ScaleE8M0: half
// toward zero, and zero becomes -0. ModelOpt's and CompressedTensors' other E2M1
// make -0 of nothing but a negative number. TorchAO's ScaleFloor, ScaleEven and
// ScaleCeil divide by 2^-126 at least, ScaleRCeil by 1 for a scale of 2^-127. A NaN
// makes the scale NaN; the codes of its group are not specified. The exact cases
// at the ends of the ranges are what the tests have of each library.
//
// # Conversions
//
// An Encode function rounds each float32 to another type, half to even, as the
// scalar function that it names, which says what becomes of NaN and of what is
// out of range; a Decode function gives the exact values. They are for the types
// of packages bf16, fp8, fp4 and of github.com/x448/float16, whose functions for
// single numbers the names refer to.
//
// # Codes
//
// A [Format] says what codes are and how they lie in memory. Codes of every format
// can be written to and read from []byte: those of less than eight bits, but for
// E2M1, E2M3 and E3M2, several to a byte, the first in the lowest bits; those of
// Int16 and Uint16 in two bytes, the low one first. Where a Go type is a code, slices
// of it do too: []int8, []uint8, []int16, []uint16, []fp8.E4M3FN, []fp8.E5M2,
// []fp6.E2M3, []fp6.E3M2 and []fp4.Pair. Pack and Unpack are for integer codes that
// exist already.
//
// # Bytes
//
// Kernels take numbers as the machine has them: float32, int32, float16.Float16
// and bf16.BFloat16 in its own byte order, aligned to their size, as Go allocates
// them, and so codes in []int16 and []uint16. All other codes are bytes and have neither. Files have numbers in little-endian order:
// [View] and [ViewBytes] view bytes as a slice of any of these types, and back,
// where the machine has the same order.
//
// # Large results
//
// A call that reads and writes more than a core's share of the caches, which
// [WhyStreaming] tells and [SetStreaming] sets, writes past the caches. It goes the
// ordinary way to the first cache line that begins in every result, so it takes
// results that can be aligned together, as allocated slices are and parts of them
// that begin at the same element; groups of less than 4096 elements must be of
// whole cache lines, or divide one.
//
// # Mistakes
//
// A wrong length, a grid that does not fit, a zero point outside Min..Max or
// memory that overlaps is a mistake of the program: a function that finds one
// panics before it has written anything. An output must not share memory with
// any other argument, except where a function says that it works in place; then
// the two slices must be the same one. Slices without elements are fine.
//
// # Implementations
//
// The first call chooses the fastest implementation that the machine has:
// avx512vbmi, avx512, avx2, neon, or generic, which is portable Go and on every
// machine. The environment variable LOWBIT_ISA or [Use] forces one,
// [Implementations] lists them, and the build tag purego leaves all but generic
// out. The first is avx512 with tables for reading E4M3, E2M1 and packed codes of
// four bits, and for all codes of a byte where groups of 1024 elements or more
// become 16-bit numbers.
//
// The functions may be called by several goroutines at once, on memory that
// none of them writes and another reads or writes.
package kernels

//go:generate go -C ../gen run . -o ../internal/asm
