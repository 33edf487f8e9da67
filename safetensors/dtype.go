package safetensors

import (
	"fmt"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// DType is an element type. The zero value is none.
type DType uint8

// The element types of the format, under its own names.
const (
	BOOL        DType = iota + 1 // one byte, 0 or 1
	U8                           // unsigned integer
	I8                           // signed integer
	F4                           // e2m1 of the OCP MX specification, two to a byte
	F6_E2M3                      // e2m3 of the OCP MX specification, four to three bytes
	F6_E3M2                      // e3m2 of the OCP MX specification, four to three bytes
	F8_E4M3                      // e4m3fn of the OCP FP8 specification
	F8_E5M2                      // e5m2 of the OCP FP8 specification
	F8_E8M0                      // power-of-two scale of the OCP MX specification
	F8_E4M3FNUZ                  // e4m3 without infinities and negative zero
	F8_E5M2FNUZ                  // e5m2 without infinities and negative zero
	I16                          // signed integer
	U16                          // unsigned integer
	F16                          // IEEE 754 binary16
	BF16                         // bfloat16
	I32                          // signed integer
	U32                          // unsigned integer
	F32                          // IEEE 754 binary32
	I64                          // signed integer
	U64                          // unsigned integer
	F64                          // IEEE 754 binary64
	C64                          // complex number of two F32
)

var dtypes = [...]struct {
	name string
	bits int
}{
	BOOL: {"BOOL", 8}, U8: {"U8", 8}, I8: {"I8", 8},
	F4: {"F4", 4}, F6_E2M3: {"F6_E2M3", 6}, F6_E3M2: {"F6_E3M2", 6},
	F8_E4M3: {"F8_E4M3", 8}, F8_E5M2: {"F8_E5M2", 8}, F8_E8M0: {"F8_E8M0", 8},
	F8_E4M3FNUZ: {"F8_E4M3FNUZ", 8}, F8_E5M2FNUZ: {"F8_E5M2FNUZ", 8},
	I16: {"I16", 16}, U16: {"U16", 16}, F16: {"F16", 16}, BF16: {"BF16", 16},
	I32: {"I32", 32}, U32: {"U32", 32}, F32: {"F32", 32},
	I64: {"I64", 64}, U64: {"U64", 64}, F64: {"F64", 64}, C64: {"C64", 64},
}

var dtypeByName = func() map[string]DType {
	m := make(map[string]DType, len(dtypes))
	for t := BOOL; t.valid(); t++ {
		m[t.String()] = t
	}
	return m
}()

// ParseDType finds an element type by the format's name for it, such as "F8_E4M3".
func ParseDType(name string) (DType, error) {
	t, ok := dtypeByName[name]
	if !ok {
		return 0, fmt.Errorf("unknown dtype %s", tensorfile.Quote(name))
	}
	return t, nil
}

func (t DType) valid() bool { return t >= BOOL && int(t) < len(dtypes) }

// String gives the format's name.
func (t DType) String() string {
	if !t.valid() {
		return fmt.Sprintf("DType(%d)", uint8(t))
	}
	return dtypes[t].name
}

// Bits gives the size of an element in bits.
func (t DType) Bits() int { return dtypes[t].bits }
