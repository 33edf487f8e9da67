package kernels

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

// Float is an element type of tensors.
type Float interface {
	float32 | float16.Float16 | bf16.BFloat16
}

// IntCode is an element type of slices of integer codes. An int8 is an Int8. A
// uint8 is a Uint8, or a byte of memory that holds codes of any integer format.
type IntCode interface{ int8 | uint8 }

// FloatCode is an element type of slices of float codes. A uint8 is a byte of
// memory that holds codes of any float format. An fp8.E4M3FN is an E4M3FN or an
// E2M1, an fp8.E5M2 an E5M2, and an fp4.Pair two E2M1Packed.
type FloatCode interface {
	uint8 | fp8.E4M3FN | fp8.E5M2 | fp4.Pair
}

// intFormat returns the format of the codes min..max in a slice of C: f, or if
// that is 0 the one that C is. It panics unless they can lie there.
func intFormat[C IntCode](kernel string, f Format, min, max int) Format {
	own := Uint8
	if C(0)-1 < 0 {
		own = Int8
	}
	if f == 0 {
		f = own
	}
	f.checkHolds(kernel, min, max)
	if own == Int8 && f != Int8 {
		fail(kernel, "codes of %v do not lie in []int8, want []byte", f)
	}
	return f
}

// checkFloatCodes panics unless codes of f can lie in a slice of C.
func checkFloatCodes[C FloatCode](kernel string, f Format) {
	fits := true
	switch any(*new(C)).(type) {
	case fp8.E4M3FN:
		fits = f == E4M3FN || f == E2M1
	case fp8.E5M2:
		fits = f == E5M2
	case fp4.Pair:
		fits = f == E2M1Packed
	}
	if !fits {
		fail(kernel, "codes of %v do not lie in %T", f, []C(nil))
	}
}

// bytesOf returns the memory of codes.
func bytesOf[C IntCode | FloatCode](codes []C) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(codes))), len(codes))
}
