package fp8_test

import (
	"math"

	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/minifloat/gridtest"
)

// number is what the types have in common.
type number[T any] interface {
	~uint8
	Float32() float32
	Bits() uint8
	IsNaN() bool
	IsInf(sign int) bool
	IsFinite() bool
	IsZero() bool
	IsNormal() bool
	IsSubnormal() bool
	Signbit() bool
	Equal(T) bool
	Less(T) bool
	Compare(T) int
	String() string
}

// definition says what a signed format is, as its specification has it: fields,
// bias, special codes. The value of a code and the result of a conversion are
// computed from that, by other means than the package's own.
type definition[T number[T]] struct {
	name               string
	expBits, mantBits  int
	bias               int
	finite             int     // codes without sign that are finite
	next               float64 // the value behind the largest, if there were one
	overflow           T       // the code, without sign, of what is beyond
	nan                T
	nans, infs         []T
	unsignedZero       bool
	from32, from32Sat  func(float32) T
	from64, from64Sat  func(float64) T
	max, normal        float64
	subnormal, epsilon float64
	maxExp             int
	text               map[T]string
}

var e4m3fn = definition[fp8.E4M3FN]{
	name: "E4M3FN", expBits: 4, mantBits: 3, bias: 7,
	finite: 127, next: 480, overflow: 0x7F, nan: 0x7F,
	nans:   []fp8.E4M3FN{0x7F, 0xFF},
	from32: fp8.E4M3FNFromFloat32, from32Sat: fp8.E4M3FNFromFloat32Sat,
	from64: fp8.E4M3FNFromFloat64, from64Sat: fp8.E4M3FNFromFloat64Sat,
	max: fp8.E4M3FNMax, normal: fp8.E4M3FNSmallestNormal, subnormal: fp8.E4M3FNSmallestSubnormal,
	epsilon: fp8.E4M3FNEpsilon, maxExp: fp8.E4M3FNMaxExp,
	text: map[fp8.E4M3FN]string{0: "0", 0x80: "-0", 0x01: "0.001953125", 0x38: "1", 0xC4: "-3", 0x7E: "448", 0x7F: "NaN"},
}

var e5m2 = definition[fp8.E5M2]{
	name: "E5M2", expBits: 5, mantBits: 2, bias: 15,
	finite: 124, next: 65536, overflow: 0x7C, nan: 0x7F,
	nans:   []fp8.E5M2{0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF},
	infs:   []fp8.E5M2{0x7C, 0xFC},
	from32: fp8.E5M2FromFloat32, from32Sat: fp8.E5M2FromFloat32Sat,
	from64: fp8.E5M2FromFloat64, from64Sat: fp8.E5M2FromFloat64Sat,
	max: fp8.E5M2Max, normal: fp8.E5M2SmallestNormal, subnormal: fp8.E5M2SmallestSubnormal,
	epsilon: fp8.E5M2Epsilon, maxExp: fp8.E5M2MaxExp,
	text: map[fp8.E5M2]string{0: "0", 0x80: "-0", 0x01: "1.5258789e-05", 0x3C: "1", 0xC2: "-3", 0x7B: "57344", 0x7C: "+Inf", 0xFC: "-Inf", 0x7D: "NaN"},
}

var e4m3fnuz = definition[fp8.E4M3FNUZ]{
	name: "E4M3FNUZ", expBits: 4, mantBits: 3, bias: 8,
	finite: 128, next: 256, overflow: 0x80, nan: 0x80,
	nans: []fp8.E4M3FNUZ{0x80}, unsignedZero: true,
	from32: fp8.E4M3FNUZFromFloat32, from32Sat: fp8.E4M3FNUZFromFloat32Sat,
	from64: fp8.E4M3FNUZFromFloat64, from64Sat: fp8.E4M3FNUZFromFloat64Sat,
	max: fp8.E4M3FNUZMax, normal: fp8.E4M3FNUZSmallestNormal, subnormal: fp8.E4M3FNUZSmallestSubnormal,
	epsilon: fp8.E4M3FNUZEpsilon, maxExp: fp8.E4M3FNUZMaxExp,
	text: map[fp8.E4M3FNUZ]string{0: "0", 0x80: "NaN", 0x01: "0.0009765625", 0x40: "1", 0xCC: "-3", 0x7F: "240"},
}

var e5m2fnuz = definition[fp8.E5M2FNUZ]{
	name: "E5M2FNUZ", expBits: 5, mantBits: 2, bias: 16,
	finite: 128, next: 65536, overflow: 0x80, nan: 0x80,
	nans: []fp8.E5M2FNUZ{0x80}, unsignedZero: true,
	from32: fp8.E5M2FNUZFromFloat32, from32Sat: fp8.E5M2FNUZFromFloat32Sat,
	from64: fp8.E5M2FNUZFromFloat64, from64Sat: fp8.E5M2FNUZFromFloat64Sat,
	max: fp8.E5M2FNUZMax, normal: fp8.E5M2FNUZSmallestNormal, subnormal: fp8.E5M2FNUZSmallestSubnormal,
	epsilon: fp8.E5M2FNUZEpsilon, maxExp: fp8.E5M2FNUZMaxExp,
	text: map[fp8.E5M2FNUZ]string{0: "0", 0x80: "NaN", 0x01: "7.6293945e-06", 0x40: "1", 0xC6: "-3", 0x7F: "57344"},
}

var e4m3 = definition[fp8.E4M3]{
	name: "E4M3", expBits: 4, mantBits: 3, bias: 7,
	finite: 120, next: 256, overflow: 0x78, nan: 0x7C,
	nans: []fp8.E4M3{0x79, 0x7A, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF},
	infs: []fp8.E4M3{0x78, 0xF8},

	from32: fp8.E4M3FromFloat32, from32Sat: fp8.E4M3FromFloat32Sat,
	from64: fp8.E4M3FromFloat64, from64Sat: fp8.E4M3FromFloat64Sat,
	max: fp8.E4M3Max, normal: fp8.E4M3SmallestNormal, subnormal: fp8.E4M3SmallestSubnormal,
	epsilon: fp8.E4M3Epsilon, maxExp: fp8.E4M3MaxExp,

	text: map[fp8.E4M3]string{0: "0", 0x80: "-0", 0x01: "0.001953125", 0x38: "1", 0xC4: "-3", 0x77: "240", 0x78: "+Inf", 0xF8: "-Inf", 0x79: "NaN"},
}

var e3m4 = definition[fp8.E3M4]{
	name: "E3M4", expBits: 3, mantBits: 4, bias: 3,
	finite: 112, next: 16, overflow: 0x70, nan: 0x78,
	nans: []fp8.E3M4{
		0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F,
		0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
	},
	infs: []fp8.E3M4{0x70, 0xF0},

	from32: fp8.E3M4FromFloat32, from32Sat: fp8.E3M4FromFloat32Sat,
	from64: fp8.E3M4FromFloat64, from64Sat: fp8.E3M4FromFloat64Sat,
	max: fp8.E3M4Max, normal: fp8.E3M4SmallestNormal, subnormal: fp8.E3M4SmallestSubnormal,
	epsilon: fp8.E3M4Epsilon, maxExp: fp8.E3M4MaxExp,

	text: map[fp8.E3M4]string{0: "0", 0x80: "-0", 0x01: "0.015625", 0x30: "1", 0xC8: "-3", 0x6F: "15.5", 0x70: "+Inf", 0xF0: "-Inf", 0x71: "NaN"},
}

var e4m3b11fnuz = definition[fp8.E4M3B11FNUZ]{
	name: "E4M3B11FNUZ", expBits: 4, mantBits: 3, bias: 11,
	finite: 128, next: 32, overflow: 0x80, nan: 0x80,
	nans: []fp8.E4M3B11FNUZ{0x80}, unsignedZero: true,

	from32: fp8.E4M3B11FNUZFromFloat32, from32Sat: fp8.E4M3B11FNUZFromFloat32Sat,
	from64: fp8.E4M3B11FNUZFromFloat64, from64Sat: fp8.E4M3B11FNUZFromFloat64Sat,
	max: fp8.E4M3B11FNUZMax, normal: fp8.E4M3B11FNUZSmallestNormal, subnormal: fp8.E4M3B11FNUZSmallestSubnormal,
	epsilon: fp8.E4M3B11FNUZEpsilon, maxExp: fp8.E4M3B11FNUZMaxExp,

	text: map[fp8.E4M3B11FNUZ]string{0: "0", 0x80: "NaN", 0x01: "0.00012207031", 0x58: "1", 0xE4: "-3", 0x7F: "30"},
}

const signBit = 0x80

// value returns the value of a code.
func (d *definition[T]) value(c T) float64 {
	for _, n := range d.nans {
		if c == n {
			return math.NaN()
		}
	}
	sign := 1.0
	if c&signBit != 0 {
		sign = -1
	}
	for _, i := range d.infs {
		if c == i {
			return sign * math.Inf(1)
		}
	}
	exp := int(c) >> d.mantBits & (1<<d.expBits - 1)
	significand := int(c) & (1<<d.mantBits - 1)
	if exp == 0 {
		exp = 1
	} else {
		significand += 1 << d.mantBits
	}
	return sign * math.Ldexp(float64(significand), exp-d.bias-d.mantBits)
}

// grid returns the finite values without sign.
func (d *definition[T]) grid() gridtest.Grid {
	return gridtest.New(d.finite, func(i int) float64 { return d.value(T(i)) }, d.next)
}

// convert returns the code of the value at an index of the grid, with a sign.
func (d *definition[T]) convert(index int, negative, saturate bool) T {
	c := T(index)
	switch {
	case index == d.finite && saturate:
		c--
	case index == d.finite:
		c = d.overflow
	}
	if negative && !(d.unsignedZero && c&^signBit == 0) {
		c |= signBit
	}
	return c
}

// nanCode returns what a NaN is converted to.
func (d *definition[T]) nanCode(negative bool) T {
	if negative {
		return d.nan | signBit
	}
	return d.nan
}

// from returns what a conversion of x gives.
func (d *definition[T]) from(g gridtest.Grid, x float64, saturate bool) T {
	if x != x {
		return d.nanCode(math.Signbit(x))
	}
	return d.convert(g.Nearest(math.Abs(x)), math.Signbit(x), saturate)
}
