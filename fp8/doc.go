// Package fp8 has the 8-bit floating-point types of machine learning, with
// conversions that are exact where they can be and correctly rounded where they
// cannot: E4M3FN and E5M2 of the OCP FP8 specification 1.0, their FNUZ variants,
// E4M3 and E3M4 as IEEE 754 would have them, E4M3B11FNUZ, and E8M0, the
// power-of-two scale of the OCP MX specification 1.0.
//
// # Formats
//
//	             E4M3FN   E5M2     E4M3FNUZ  E5M2FNUZ  E8M0
//	sign bits    1        1        1         1         0
//	exponent     4        5        4         5         8
//	mantissa     3        2        3         2         0
//	bias         7        15       8         16        127
//	largest      448      57344    240       57344     2^127
//	normal from  2^-6     2^-14    2^-7      2^-15     2^-127
//	least > 0    2^-9     2^-16    2^-10     2^-17     2^-127
//	epsilon      2^-3     2^-2     2^-3      2^-2      1
//	infinity     none     7C FC    none      none      none
//	NaN          7F FF    7D-7F,   80        80        FF
//	                      FD-FF
//	zero         00 80    00 80    00        00        none
//
//	             E4M3     E3M4     E4M3B11FNUZ
//	sign bits    1        1        1
//	exponent     4        3        4
//	mantissa     3        4        3
//	bias         7        3        11
//	largest      240      15.5     30
//	normal from  2^-6     2^-2     2^-10
//	least > 0    2^-9     2^-6     2^-13
//	epsilon      2^-3     2^-4     2^-3
//	infinity     78 F8    70 F0    none
//	NaN          79-7F,   71-7F,   80
//	             F9-FF    F1-FF
//	zero         00 80    00 80    00
//
// A code is read as sign, exponent field E and mantissa field M, from the
// highest bit down. With p mantissa bits its value is
//
//	(-1)^sign * 2^(E-bias) * (1 + M/2^p)    if E > 0 (normal), and for E8M0
//	(-1)^sign * 2^(1-bias) * (M/2^p)        if E = 0 (zero, subnormal)
//
// FN stands for "finite", UZ for "unsigned zero": see the types. Every value is
// a float32, a bfloat16 and, E8M0's apart, a float16.
//
// Other programs know them as
//
//	type         torch, ml_dtypes    safetensors
//	E4M3FN       float8_e4m3fn       F8_E4M3
//	E5M2         float8_e5m2         F8_E5M2
//	E4M3FNUZ     float8_e4m3fnuz     F8_E4M3FNUZ
//	E5M2FNUZ     float8_e5m2fnuz     F8_E5M2FNUZ
//	E8M0         float8_e8m0fnu      F8_E8M0
//	E4M3         float8_e4m3         none
//	E3M4         float8_e3m4         none
//	E4M3B11FNUZ  float8_e4m3b11fnuz  none
//
// The last three are in ml_dtypes alone.
//
// # Which format
//
// E4M3FN is for weights and activations: twice the precision of E5M2 (a number
// in the normal range is off by at most 1/16 of itself, in E5M2 by 1/8), but a
// range of 18 powers of two against 32. E5M2 is for gradients, whose range is
// wide. Neither has two decimal digits, and both want a scale that brings the
// numbers into their range. The FNUZ types are what AMD's MI300 computes with;
// take them to exchange data with it, and mind that the same code means half as
// much there. E4M3, E3M4 and E4M3B11FNUZ are for data of programs that have them.
// E8M0 is not for numbers but for the scales of blocks of them
// (MXFP8, MXFP4): see E8M0Scale and package fp4.
//
// # Which conversion
//
// From float32 and float64 there are two for each format F, which differ for
// what is out of range and in nothing else:
//
//	                     FFromFloat32         FFromFloat32Sat
//	in range             nearest, ties to even code, subnormals included
//	beyond the largest   +-Inf, else NaN      +-largest
//	+-Inf                +-Inf, else NaN      +-largest
//	NaN                  NaN                  NaN
//
// where infinity is for the formats that have one.
//
// A magnitude is beyond the largest value when it would round to the next value,
// if there were one: 464 is still 448 in E4M3FN, the next float32 is not. In
// numbers: E4M3FN above 464; E5M2 and E5M2FNUZ from 61440, E4M3FNUZ and E4M3 from
// 248, E3M4 from 15.75, E4M3B11FNUZ from 31, E8M0 from 1.5 * 2^127.
//
// Quantize with FFromFloat32Sat: a clipped outlier costs little, a NaN costs the
// whole tensor. FFromFloat32 is for where overflow must be seen, as in
// mixed-precision training, and gives what torch's Tensor.to gives. Both are
// the conversions of the OCP FP8 specification 1.0, with and without saturation;
// the FNUZ types, which it does not have, follow the same rules, and E8M0's own
// are told there.
//
// The signs of zeros, NaNs and what rounds to zero are kept where the format has
// them. FFromFloat64 and FFromFloat64Sat round once; to convert a float64 by way
// of float32 rounds twice and is off by a code for some. Rounding does not
// depend on the machine.
//
// Back, the method Float32 is exact for every code.
//
// # Comparison
//
// Codes can be compared by ==, which tells +0 from -0 and holds NaN equal to
// itself. The methods Equal and Less are those of IEEE 754, Compare is a total
// order for sorting.
//
// # Slices
//
// The functions here are for single numbers. Package kernels has the same
// conversions for slices of the types that safetensors has:
// kernels.EncodeE4M3FNSat converts as E4M3FNFromFloat32Sat, kernels.DecodeE4M3FN as
// E4M3FN.Float32, and so on. Its QuantizeFloat divides by scales on the way.
package fp8
