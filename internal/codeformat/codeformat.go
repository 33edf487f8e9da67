// Package codeformat is the table of the formats that codes have. What the kernels, package quant, files, the tool,
// the benchmarks and the generator of the assembly know of a format comes from its row here.
package codeformat

import (
	"math"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp6"
	"github.com/lowbit-go/lowbit/fp8"
)

// ID is a format's place in the table. The zero ID is none.
type ID uint8

// The formats, which package kernels describes.
const (
	Int8 ID = iota + 1
	Uint8
	Int4
	Uint4
	Int2
	Uint2
	E4M3FN
	E5M2
	E2M1
	E2M1Packed
	Int6
	Uint6
	Int16
	Uint16
	E2M3
	E3M2
	E2M3Packed
	E3M2Packed
	KernelsEnd
)

// Formats that are converted, and nothing else.
const (
	E4M3FNUZ ID = KernelsEnd + iota
	E5M2FNUZ
	End
)

// Row is what is known of a format.
type Row struct {
	Name  string // of the constant in package kernels
	DType string // the name of the data type whose codes are these where they take the least room; "" if none are
	File  string // the name that safetensors has for it, if it has one
	Bits  int    // of a code in memory
	Bytes ID     // the format in which the same codes have whole bytes, if that is another
	Elem  any    // of the Go type that has such a code in each element, or two; nil if there is none

	Min, Max int // the codes of an integer format

	*Float // nil for integers
}

// Float is what is known of a float format: a code is a sign above an exponent above a mantissa.
type Float struct {
	Width    int  // bits of a code that count
	Mantissa int  // bits
	Bias     int  // of the exponent
	Top      byte // the code of the largest value
	NaN      int  // a code of NaN, or NoNaN
	As       ID   // the format whose codes stand for the values, if that is another

	// Cast returns the code of a value within the format's range, or of NaN. Value returns a code's value.
	Cast  func(v float32) byte
	Value func(code byte) float32
}

// NoNaN is for a format without NaN.
const NoNaN = -1

// Rows has the row of each format.
var Rows = [End]Row{
	Int8:   {Name: "Int8", DType: "int8", File: "I8", Bits: 8, Min: -128, Max: 127},
	Uint8:  {Name: "Uint8", DType: "uint8", File: "U8", Bits: 8, Max: 255},
	Int4:   {Name: "Int4", DType: "int4", Bits: 4, Bytes: Int8, Min: -8, Max: 7},
	Uint4:  {Name: "Uint4", DType: "uint4", Bits: 4, Bytes: Uint8, Max: 15},
	Int2:   {Name: "Int2", DType: "int2", Bits: 2, Bytes: Int8, Min: -2, Max: 1},
	Uint2:  {Name: "Uint2", DType: "uint2", Bits: 2, Bytes: Uint8, Max: 3},
	Int6:   {Name: "Int6", DType: "int6", Bits: 6, Bytes: Int8, Min: -32, Max: 31},
	Uint6:  {Name: "Uint6", DType: "uint6", Bits: 6, Bytes: Uint8, Max: 63},
	Int16:  {Name: "Int16", DType: "int16", File: "I16", Bits: 16, Min: -32768, Max: 32767},
	Uint16: {Name: "Uint16", DType: "uint16", File: "U16", Bits: 16, Max: 65535},

	E4M3FN: {Name: "E4M3FN", DType: "float8_e4m3fn", File: "F8_E4M3", Bits: 8, Elem: fp8.E4M3FN(0), Float: &Float{
		Width: 8, Mantissa: 3, Bias: 7, Top: 0x7e, NaN: 0x7f, Cast: castE4M3FN, Value: valueE4M3FN,
	}},
	E5M2: {Name: "E5M2", DType: "float8_e5m2", File: "F8_E5M2", Bits: 8, Elem: fp8.E5M2(0), Float: &Float{ // 0x7c is infinity
		Width: 8, Mantissa: 2, Bias: 15, Top: 0x7b, NaN: 0x7f,
		Cast:  func(v float32) byte { return byte(fp8.E5M2FromFloat32(v)) },
		Value: func(code byte) float32 { return fp8.E5M2(code).Float32() },
	}},
	E2M1: {Name: "E2M1", Bits: 8, Elem: fp8.E4M3FN(0), Float: &Float{
		Width: 4, Mantissa: 1, Bias: 1, Top: 7, NaN: 0x7f, As: E4M3FN,
		Cast: func(v float32) byte {
			if v == v {
				v = fp4.E2M1FromFloat32(v).Float32()
			}
			return castE4M3FN(v)
		},
		Value: valueE4M3FN,
	}},
	E2M1Packed: {Name: "E2M1Packed", DType: "float4_e2m1fn_x2", File: "F4", Bits: 4, Bytes: E2M1, Elem: fp4.Pair(0), Float: &Float{
		Width: 4, Mantissa: 1, Bias: 1, Top: 7, NaN: NoNaN,
		Cast:  func(v float32) byte { return byte(fp4.E2M1FromFloat32(v)) },
		Value: func(code byte) float32 { return fp4.E2M1(code).Float32() },
	}},
	E2M3:       {Name: "E2M3", Bits: 8, Elem: fp6.E2M3(0), Float: &e2m3},
	E2M3Packed: {Name: "E2M3Packed", DType: "float6_e2m3fn", File: "F6_E2M3", Bits: 6, Bytes: E2M3, Float: &e2m3},
	E3M2:       {Name: "E3M2", Bits: 8, Elem: fp6.E3M2(0), Float: &e3m2},
	E3M2Packed: {Name: "E3M2Packed", DType: "float6_e3m2fn", File: "F6_E3M2", Bits: 6, Bytes: E3M2, Float: &e3m2},

	E4M3FNUZ: {Name: "E4M3FNUZ", File: "F8_E4M3FNUZ", Bits: 8, Float: &Float{
		Width: 8, Mantissa: 3, Bias: 8, Top: 0x7f, NaN: 0x80,
		Cast:  func(v float32) byte { return byte(fp8.E4M3FNUZFromFloat32(v)) },
		Value: func(code byte) float32 { return fp8.E4M3FNUZ(code).Float32() },
	}},
	E5M2FNUZ: {Name: "E5M2FNUZ", File: "F8_E5M2FNUZ", Bits: 8, Float: &Float{
		Width: 8, Mantissa: 2, Bias: 16, Top: 0x7f, NaN: 0x80,
		Cast:  func(v float32) byte { return byte(fp8.E5M2FNUZFromFloat32(v)) },
		Value: func(code byte) float32 { return fp8.E5M2FNUZ(code).Float32() },
	}},
}

var (
	e2m3 = Float{
		Width: 6, Mantissa: 3, Bias: 1, Top: 0x1f, NaN: NoNaN,
		Cast:  func(v float32) byte { return byte(fp6.E2M3FromFloat32(v)) },
		Value: func(code byte) float32 { return fp6.E2M3(code).Float32() },
	}
	e3m2 = Float{
		Width: 6, Mantissa: 2, Bias: 3, Top: 0x1f, NaN: NoNaN,
		Cast:  func(v float32) byte { return byte(fp6.E3M2FromFloat32(v)) },
		Value: func(code byte) float32 { return fp6.E3M2(code).Float32() },
	}
)

func castE4M3FN(v float32) byte     { return byte(fp8.E4M3FNFromFloat32(v)) }
func valueE4M3FN(code byte) float32 { return fp8.E4M3FN(code).Float32() }

// Field is the exponent field of the least normal number as a float32 has it.
func (f *Float) Field() int { return 128 - f.Bias }

// Largest is the largest value, and MaxExp that value's exponent.
func (f *Float) Largest() float32 {
	steps := 1<<f.Mantissa | int(f.Top)&(1<<f.Mantissa-1)
	return float32(math.Ldexp(float64(steps), f.MaxExp()-f.Mantissa))
}

// MaxExp is the exponent of the largest value.
func (f *Float) MaxExp() int { return int(f.Top)>>f.Mantissa - f.Bias }

// OneZero reports whether NaN is in the place of -0.
func (f *Float) OneZero() bool { return f.NaN == 0x80 }

// WholeBytes is the format in which the same codes have whole bytes.
func (id ID) WholeBytes() ID {
	if b := Rows[id].Bytes; b != 0 {
		return b
	}
	return id
}

// OfDType is the format whose codes a data type has where they take the least room, or 0.
func OfDType(name string) ID {
	for id := range Rows {
		if name != "" && Rows[id].DType == name {
			return ID(id)
		}
	}
	return 0
}

// FileType is the name that safetensors has for codes of the format, or "" if it has none.
func (id ID) FileType() string {
	if f := Rows[id].Float; f != nil && f.As != 0 {
		id = f.As
	}
	return Rows[id].File
}
