package kernels

import (
	"fmt"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp6"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// Format says what a code stands for and how codes lie in memory. Codes of less
// than eight bits lie several to a byte, the first in the lowest bits, and the
// last byte is padded with zeros; rows and groups are not padded. Codes of six bits
// are a stream of bits, four in three bytes, code i in the bits from 6*i on. Codes
// of two bytes are little-endian in a slice of bytes. The zero Format is none.
type Format uint8

// The formats.
const (
	// Int8 is -128..127 in two's complement, one code to a byte.
	Int8 Format = iota + 1

	// Uint8 is 0..255, one code to a byte.
	Uint8

	// Int4 is -8..7 in two's complement, two codes to a byte.
	Int4

	// Uint4 is 0..15, two codes to a byte.
	Uint4

	// Int2 is -2..1 in two's complement, four codes to a byte.
	Int2

	// Uint2 is 0..3, four codes to a byte.
	Uint2

	// E4M3FN is fp8.E4M3FN, one code to a byte.
	E4M3FN

	// E5M2 is fp8.E5M2, one code to a byte.
	E5M2

	// E2M1 is fp4.E2M1 with each value stored as the E4M3FN that equals it, NaN
	// too, one code to a byte. Dequantizing reads any E4M3FN.
	E2M1

	// E2M1Packed is fp4.Pair, two codes to a byte. It has no NaN: one becomes 0.
	E2M1Packed

	// Int6 is -32..31 in two's complement, four codes to three bytes.
	Int6

	// Uint6 is 0..63, four codes to three bytes.
	Uint6

	// Int16 is -32768..32767 in two's complement, two bytes to a code.
	Int16

	// Uint16 is 0..65535, two bytes to a code.
	Uint16

	// E2M3 is fp6.E2M3, one code to a byte. It has no NaN: one becomes 0.
	E2M3

	// E3M2 is fp6.E3M2, one code to a byte. It has no NaN: one becomes 0.
	E3M2

	// E2M3Packed is fp6.E2M3, four codes to three bytes, as fp6.Pack has them.
	E2M3Packed

	// E3M2Packed is fp6.E3M2, four codes to three bytes, as fp6.Pack has them.
	E3M2Packed

	formatsEnd
)

// description is what the package knows of a format.
type description struct {
	name string
	bits int // of a code in memory

	least, most int // the codes of an integer format; both are 0 for a float format

	// largest is a float format's largest value, and maxExp that value's exponent.
	largest float32
	maxExp  int

	// field is the exponent field of a float format's least normal number in its
	// place in a float32, and step is (23 - mantissa bits)<<23.
	field, step int32

	// write and read are what the assembly calls the codes that a kernel writes
	// and reads, and float8 what it is told of an asm.Float8. Float codes of six bits
	// are read as E4M3 or E5M2 codes, whose values are theirs over wider.
	write, read asm.Code
	float8      float8
	wider       float32

	bytes Format // the format in which packed codes of six bits lie one to a byte

	// cast returns the code of a value within a float format's range or NaN, and
	// value the value of a code; a code of four bits is in the low bits.
	cast  func(v float32) byte
	value func(code byte) float32
}

// formats has the description of each format.
var formats = [formatsEnd]description{
	Int8:  {name: "Int8", bits: 8, least: -128, most: 127, write: asm.Int8, read: asm.Int8},
	Uint8: {name: "Uint8", bits: 8, least: 0, most: 255, write: asm.Uint8, read: asm.Uint8},
	Int4:  {name: "Int4", bits: 4, least: -8, most: 7, write: asm.Packed4, read: asm.Packed4},
	Uint4: {name: "Uint4", bits: 4, least: 0, most: 15, write: asm.Packed4, read: asm.Packed4},
	Int2:  {name: "Int2", bits: 2, least: -2, most: 1, write: asm.Packed2, read: asm.Packed2},
	Uint2: {name: "Uint2", bits: 2, least: 0, most: 3, write: asm.Packed2, read: asm.Packed2},
	E4M3FN: {
		name: "E4M3FN", bits: 8, largest: fp8.E4M3FNMax, maxExp: fp8.E4M3FNMaxExp, field: 121 << 23, step: 20 << 23,
		write: asm.Float8, read: asm.E4M3, float8: newFloat8(3, 121, 0x7e, 0x7f),
		cast:  func(v float32) byte { return byte(fp8.E4M3FNFromFloat32(v)) },
		value: func(code byte) float32 { return fp8.E4M3FN(code).Float32() },
	},
	E5M2: {
		name: "E5M2", bits: 8, largest: fp8.E5M2Max, maxExp: fp8.E5M2MaxExp, field: 113 << 23, step: 21 << 23,
		write: asm.Float8, read: asm.E5M2, float8: newFloat8(2, 113, 0x7b, 0x7f),
		cast:  func(v float32) byte { return byte(fp8.E5M2FromFloat32(v)) },
		value: func(code byte) float32 { return fp8.E5M2(code).Float32() },
	},
	E2M1: {
		name: "E2M1", bits: 8, largest: fp4.E2M1Max, maxExp: fp4.E2M1MaxExp, field: 127 << 23, step: 22 << 23,
		write: asm.E2M1, read: asm.E4M3,
		cast: func(v float32) byte {
			if v == v {
				v = fp4.E2M1FromFloat32(v).Float32()
			}
			return byte(fp8.E4M3FNFromFloat32(v))
		},
		value: func(code byte) float32 { return fp8.E4M3FN(code).Float32() },
	},
	E2M1Packed: {
		name: "E2M1Packed", bits: 4, largest: fp4.E2M1Max, maxExp: fp4.E2M1MaxExp, field: 127 << 23, step: 22 << 23,
		write: asm.E2M1Packed, read: asm.E2M1,
		cast:  func(v float32) byte { return byte(fp4.E2M1FromFloat32(v)) },
		value: func(code byte) float32 { return fp4.E2M1(code).Float32() },
	},
	Int6:   {name: "Int6", bits: 6, least: -32, most: 31, bytes: Int8},
	Uint6:  {name: "Uint6", bits: 6, least: 0, most: 63, bytes: Uint8},
	Int16:  {name: "Int16", bits: 16, least: -32768, most: 32767},
	Uint16: {name: "Uint16", bits: 16, least: 0, most: 65535},
	E2M3: {
		name: "E2M3", bits: 8, largest: fp6.E2M3Max, maxExp: fp6.E2M3MaxExp, field: 127 << 23, step: 20 << 23,
		write: asm.Float8, read: asm.E4M3, float8: newFloat8(3, 127, 0x1f, 0x7f), wider: 0x1p6,
		cast:  func(v float32) byte { return byte(fp6.E2M3FromFloat32(v)) },
		value: func(code byte) float32 { return fp6.E2M3(code).Float32() },
	},
	E2M3Packed: {
		name: "E2M3Packed", bits: 6, largest: fp6.E2M3Max, maxExp: fp6.E2M3MaxExp, field: 127 << 23, step: 20 << 23,
		write: asm.Float8, read: asm.E4M3, float8: newFloat8(3, 127, 0x1f, 0x7f), wider: 0x1p6, bytes: E2M3,
		cast:  func(v float32) byte { return byte(fp6.E2M3FromFloat32(v)) },
		value: func(code byte) float32 { return fp6.E2M3(code).Float32() },
	},
	E3M2: {
		name: "E3M2", bits: 8, largest: fp6.E3M2Max, maxExp: fp6.E3M2MaxExp, field: 125 << 23, step: 21 << 23,
		write: asm.Float8, read: asm.E5M2, float8: newFloat8(2, 125, 0x1f, 0x7f), wider: 0x1p12,
		cast:  func(v float32) byte { return byte(fp6.E3M2FromFloat32(v)) },
		value: func(code byte) float32 { return fp6.E3M2(code).Float32() },
	},
	E3M2Packed: {
		name: "E3M2Packed", bits: 6, largest: fp6.E3M2Max, maxExp: fp6.E3M2MaxExp, field: 125 << 23, step: 21 << 23,
		write: asm.Float8, read: asm.E5M2, float8: newFloat8(2, 125, 0x1f, 0x7f), wider: 0x1p12, bytes: E3M2,
		cast:  func(v float32) byte { return byte(fp6.E3M2FromFloat32(v)) },
		value: func(code byte) float32 { return fp6.E3M2(code).Float32() },
	},
}

// Bits returns how many bits a code takes in memory.
func (f Format) Bits() int {
	f.check("Format")
	return formats[f].bits
}

// Bytes returns how many bytes n codes take.
func (f Format) Bytes(n int) int {
	bits := f.Bits()
	return n/8*bits + (n%8*bits+7)/8
}

// Range returns the least and the greatest code of an integer format. It panics
// if f is a float format.
func (f Format) Range() (min, max int) {
	f.checkInt("Format.Range")
	return formats[f].least, formats[f].most
}

// Max returns the largest value: 448 of E4M3FN, 57344 of E5M2, 7.5 of E2M3, 28 of
// E3M2, 6 of E2M1, and the greatest code of an integer format.
func (f Format) Max() float32 {
	f.check("Format.Max")
	if f.isInt() {
		return float32(formats[f].most)
	}
	return formats[f].largest
}

// String returns the name of the constant.
func (f Format) String() string {
	if f == 0 || f >= formatsEnd {
		return fmt.Sprintf("Format(%d)", uint8(f))
	}
	return formats[f].name
}

func (f Format) isInt() bool    { return formats[f].most > 0 }
func (f Format) isSigned() bool { return formats[f].least < 0 }
func (f Format) isPacked() bool { return formats[f].bits < 8 }

// check panics unless the format exists.
func (f Format) check(kernel string) {
	if f == 0 || f >= formatsEnd {
		fail(kernel, "unknown %v", f)
	}
}

// checkInt panics unless the format is one of integers.
func (f Format) checkInt(kernel string) {
	if f.check(kernel); !f.isInt() {
		fail(kernel, "%v is a float format, want an integer format", f)
	}
}

// checkFloat panics unless the format is one of floats.
func (f Format) checkFloat(kernel string) {
	if f.check(kernel); f.isInt() {
		fail(kernel, "%v is an integer format, want a float format", f)
	}
}

// checkHolds panics unless the format is one of integers that has the codes.
func (f Format) checkHolds(kernel string, min, max int) {
	f.checkInt(kernel)
	if d := &formats[f]; min < d.least || max > d.most {
		fail(kernel, "codes %d..%d do not fit into %v", min, max, f)
	}
}

// storage is how integer codes are stored, in the terms of the assembly. Packed
// ones are written alike whether they are signed or not; sign is the highest
// bit of a signed one that is packed.
type storage struct {
	code asm.Code
	bits int
	sign int32
}

// storage returns how codes of an integer format are stored.
func (f Format) storage() storage {
	d := &formats[f]
	s := storage{code: d.write, bits: d.bits}
	if f.isPacked() && f.isSigned() {
		s.sign = 1 << (d.bits - 1)
	}
	return s
}
