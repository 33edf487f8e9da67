package kernels

import (
	"fmt"
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/codeformat"
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
	Int8 = Format(codeformat.Int8)

	// Uint8 is 0..255, one code to a byte.
	Uint8 = Format(codeformat.Uint8)

	// Int4 is -8..7 in two's complement, two codes to a byte.
	Int4 = Format(codeformat.Int4)

	// Uint4 is 0..15, two codes to a byte.
	Uint4 = Format(codeformat.Uint4)

	// Int2 is -2..1 in two's complement, four codes to a byte.
	Int2 = Format(codeformat.Int2)

	// Uint2 is 0..3, four codes to a byte.
	Uint2 = Format(codeformat.Uint2)

	// E4M3FN is fp8.E4M3FN, one code to a byte.
	E4M3FN = Format(codeformat.E4M3FN)

	// E5M2 is fp8.E5M2, one code to a byte.
	E5M2 = Format(codeformat.E5M2)

	// E2M1 is fp4.E2M1 with each value stored as the E4M3FN that equals it, NaN
	// too, one code to a byte. Dequantizing reads any E4M3FN.
	E2M1 = Format(codeformat.E2M1)

	// E2M1Packed is fp4.Pair, two codes to a byte. It has no NaN: one becomes 0.
	E2M1Packed = Format(codeformat.E2M1Packed)

	// Int6 is -32..31 in two's complement, four codes to three bytes.
	Int6 = Format(codeformat.Int6)

	// Uint6 is 0..63, four codes to three bytes.
	Uint6 = Format(codeformat.Uint6)

	// Int16 is -32768..32767 in two's complement, two bytes to a code.
	Int16 = Format(codeformat.Int16)

	// Uint16 is 0..65535, two bytes to a code.
	Uint16 = Format(codeformat.Uint16)

	// E2M3 is fp6.E2M3, one code to a byte. It has no NaN: one becomes 0.
	E2M3 = Format(codeformat.E2M3)

	// E3M2 is fp6.E3M2, one code to a byte. It has no NaN: one becomes 0.
	E3M2 = Format(codeformat.E3M2)

	// E2M3Packed is fp6.E2M3, four codes to three bytes, as fp6.Pack has them.
	E2M3Packed = Format(codeformat.E2M3Packed)

	// E3M2Packed is fp6.E3M2, four codes to three bytes, as fp6.Pack has them.
	E3M2Packed = Format(codeformat.E3M2Packed)

	formatsEnd = Format(codeformat.KernelsEnd)
)

// description is what the package knows of a format: its row, and what follows from that.
type description struct {
	_ [0]func() // descriptions are not compared: no code for that is linked

	name string
	bits int // of a code in memory

	least, most int // the codes of an integer format; both are 0 for a float format

	// largest is a float format's largest value, and maxExp that value's exponent.
	largest float32
	maxExp  int

	// field is the exponent field of a float format's least normal number in its
	// place in a float32, and step is (23 - mantissa bits)<<23.
	field, step int32

	// layout is how codes lie for the assembly, and float8 what it is told of float ones. read is
	// what it calls those that it reads or packs without being told a layout: a float format is read as E4M3, E5M2 or E2M1 with
	// scales that are so many times theirs, a power of two that is not less than 1. One
	// that cannot is unread: the portable code reads it.
	layout asm.Layout
	float8 float8
	read   asm.Code
	times  float32
	unread bool

	width int    // of a float code, the bits that count
	bytes Format // the format in which packed codes lie one to a byte

	// float is the row of a float format. values has the value of each code of a byte; a
	// code of four bits is in the low bits, and an integer's sign in all above it.
	float  *codeformat.Float
	values *[256]float32
}

// formats has the description of each format.
var formats = func() (d [formatsEnd]description) {
	for f := Int8; f < formatsEnd; f++ {
		d[f] = describe(f, &codeformat.Rows[f])
	}
	return d
}()

func describe(id Format, row *codeformat.Row) description {
	d := description{name: row.Name, bits: row.Bits, least: row.Min, most: row.Max, bytes: Format(row.Bytes), layout: asm.SignedBytes, values: new([256]float32)}
	if f := row.Float; f != nil {
		d.largest, d.maxExp, d.width = f.Largest(), f.MaxExp(), f.Width
		d.field, d.step = int32(f.Field())<<23, int32(23-f.Mantissa)<<23
		d.float = f
		d.layout, d.float8 = asm.UnsignedBytes, newFloat8(f, f.Top)
	}
	for c := range d.values {
		switch {
		case row.Float != nil:
			d.values[c] = row.Value(byte(c))
		case row.Min < 0:
			d.values[c] = float32(int8(c))
		default:
			d.values[c] = float32(c)
		}
	}
	switch { // what has assembly of its own
	case id == Uint8:
		d.layout = asm.UnsignedBytes
	case id == E2M1:
		d.layout, d.read, d.times = asm.ListedBytes, asm.E4M3, e4m3Times
		d.float8.weights, d.float8.nan = e2m1Weights, 0x7f7f7f7f
	case id == E2M1Packed:
		d.layout, d.read, d.times = asm.Nibbles, asm.E2M1, 1
		d.float8.weights = e2m1Weights
	case row.Float != nil:
		d.readAs(row.Float)
	case row.Bits == 4:
		d.read, d.layout = asm.Packed4, asm.Nibbles
	case row.Bits == 2:
		d.read, d.layout = asm.Packed2, asm.Crumbs
	}
	return d
}

// e2m1Weights are what float8's weights are for E2M1.
const e2m1Weights = 32 * (128 | 1<<(16+1))

// e4m3Times is that of E4M3, of which the assembly reads 1/256.
const e4m3Times = 256

// readAs finds whose codes the assembly takes a format's for: those of as many mantissa bits, whose numbers end at the
// same code or behind. The power of two that brings the least normal number of the one to that of the other has the
// subnormals be the same, too.
func (d *description) readAs(f *codeformat.Float) {
	as, read, times := codeformat.Rows[codeformat.E4M3FN].Float, asm.E4M3, e4m3Times
	if f.Mantissa == 2 {
		as, read, times = codeformat.Rows[codeformat.E5M2].Float, asm.E5M2, 1
	}
	d.read, d.times = read, float32(math.Ldexp(float64(times), as.Bias-f.Bias))
	d.unread = d.times < 1 || f.Mantissa != as.Mantissa || f.NaN >= 0 && (f.Top != as.Top || f.NaN != as.NaN)
}

// Bits returns how many bits a code takes in memory.
func (f Format) Bits() int {
	f.check("Format")
	return formats[f].bits
}

// Bytes returns how many bytes n codes take.
func (f Format) Bytes(n int) int {
	bits := f.Bits()
	return n>>3*bits + (n&7*bits+7)>>3
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

// isSix reports whether the format is one of six bits, packed or not.
func (f Format) isSix() bool { return formats[f].bits == 6 || formats[f].width == 6 }

// check panics unless the format exists. Checks are compiled into their callers; what they do on a mistake is not.
func (f Format) check(kernel string) {
	if f == 0 || f >= formatsEnd {
		f.fail(kernel)
	}
}

// checkInt panics unless the format is one of integers.
func (f Format) checkInt(kernel string) {
	if f == 0 || f >= formatsEnd || !f.isInt() {
		f.fail(kernel)
	}
}

// checkFloat panics unless the format is one of floats.
func (f Format) checkFloat(kernel string) {
	if f == 0 || f >= formatsEnd || f.isInt() {
		f.fail(kernel)
	}
}

// fail panics with what a format is instead of what was wanted.
//
//go:noinline
func (f Format) fail(kernel string) {
	switch {
	case f == 0 || f >= formatsEnd:
		fail(kernel, "unknown %v", f)
	case f.isInt():
		fail(kernel, "%v is an integer format, want a float format", f)
	default:
		fail(kernel, "%v is a float format, want an integer format", f)
	}
}

// checkHolds panics unless the format is one of integers that has the codes.
func (f Format) checkHolds(kernel string, min, max int) {
	if f.checkInt(kernel); min < formats[f].least || max > formats[f].most {
		fail(kernel, "codes %d..%d do not fit into %v", min, max, f)
	}
}

// storage is how integer codes are stored, in the terms of the assembly; sign is
// the highest bit of a signed one.
type storage struct {
	code   asm.Code // of packed ones, to a kernel that packs or unpacks
	layout asm.Layout
	bits   int
	sign   int32
}

// storage returns how codes of an integer format are stored.
func (f Format) storage() storage {
	d := &formats[f]
	return storage{code: d.read, layout: d.layout, bits: d.bits, sign: int32(-d.least)}
}
