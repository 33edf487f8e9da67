package kernels

import "fmt"

// ScaleType is the type that the scales of a rule are numbers of. Where a slice of
// float32 takes them, their values are in it.
type ScaleType uint8

// The types of scales.
const (
	// ScaleAny is the tensor's own element type.
	ScaleAny ScaleType = iota

	// ScaleE8M0 is fp8.E8M0, powers of two.
	ScaleE8M0

	// ScaleFloat16 and ScaleBFloat16 are for integer formats: the scale is rounded
	// to that before it is used, and the minval too.
	ScaleFloat16
	ScaleBFloat16

	// ScaleE4M3FN is fp8.E4M3FN, for E2M1 in groups of 16: NVFP4 with one level.
	ScaleE4M3FN

	// ScaleE4M3FNGlobal is the same with a number for the whole tensor, Global, on top.
	ScaleE4M3FNGlobal

	scaleTypesEnd
)

// String returns the name of the constant.
func (s ScaleType) String() string {
	if s >= scaleTypesEnd {
		return fmt.Sprintf("ScaleType(%d)", uint8(s))
	}
	return [...]string{"ScaleAny", "ScaleE8M0", "ScaleFloat16", "ScaleBFloat16", "ScaleE4M3FN", "ScaleE4M3FNGlobal"}[s]
}

// int8MaxExp is the exponent of the largest number that an integer of MXINT8, the
// format of eight bits of the OCP MX specification, is: it has six bits behind the
// point, and its scale 2^-6 of the shared one.
const int8MaxExp = 6
