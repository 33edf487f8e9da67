// Package fp6 has E2M3 and E3M2, the 6-bit floating-point types of the OCP MX
// specification 1.0 (ml_dtypes' float6_e2m3fn and float6_e3m2fn), and their
// packing four to three bytes.
//
// # Formats
//
//	               E2M3   E3M2
//	sign bits      1      1
//	exponent       2      3
//	mantissa       3      2
//	bias           1      3
//	largest        7.5    28
//	normal from    1      2^-2
//	least > 0      2^-3   2^-4
//	epsilon        2^-3   2^-2
//	zero           00 20  00 20
//
// A code is read as sign, exponent field E and mantissa field M, from the highest
// of its six bits down; the two bits above do not count. With p mantissa bits its
// value is
//
//	(-1)^sign * 2^(E-bias) * (1 + M/2^p)    if E > 0 (normal)
//	(-1)^sign * 2^(1-bias) * (M/2^p)        if E = 0 (zero, subnormal)
//
// There are no infinities and no NaN. Every value is a value of float16 and of
// bfloat16.
//
// E2M3 has the precision of fp8.E4M3FN over six powers of two, E3M2 that of
// fp8.E5M2 over nine. Both come in blocks that share a scale: in MXFP6 32 numbers
// and a power of two, fp8.E8M0.
//
// # Conversion
//
// E2M3FromFloat32, E3M2FromFloat32 and their float64 versions round to the nearest
// value, ties to the even code, once, and saturate:
//
//	              E2M3           E3M2
//	+-largest     |x| > 7.25     |x| > 26, infinity included
//	zero          |x| <= 2^-4    |x| <= 2^-5, with the sign of x
//	NaN           +0             +0
//
// There is no conversion without saturation, since no code is left to tell of an
// overflow. For NaNs the specification leaves the choice to the implementation;
// look for them before you convert if they matter. Back, the method Float32 is
// exact.
//
// # Packing
//
// Tensors hold a code in a byte, as torchao's, or four in three bytes, as
// safetensors' F6_E2M3 and F6_E3M2: a little-endian stream of bits, code i in the
// bits from 6*i on. See Pack and Unpack. Package kernels quantizes slices to either.
package fp6
