package kernels

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp6"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// Float is an element type of tensors.
type Float interface {
	float32 | float16.Float16 | bf16.BFloat16
}

// IntCode is an element type of slices of integer codes. An int8 is an Int8, an
// int16 an Int16, a uint16 a Uint16. A uint8 is a Uint8, or a byte of memory that
// holds codes of any integer format.
type IntCode interface {
	int8 | uint8 | int16 | uint16
}

// FloatCode is an element type of slices of float codes. A uint8 is a byte of
// memory that holds codes of any float format. An fp8.E4M3FN is an E4M3FN or an
// E2M1, an fp8.E5M2 an E5M2, an fp6.E2M3 an E2M3, an fp6.E3M2 an E3M2, and an
// fp4.Pair two E2M1Packed.
type FloatCode interface {
	uint8 | fp8.E4M3FN | fp8.E5M2 | fp6.E2M3 | fp6.E3M2 | fp4.Pair
}

// intFormat returns the format of the codes min..max in a slice of C: f, or if
// that is 0 the one that C is. It panics unless they can lie there.
func intFormat[C IntCode](kernel string, f Format, min, max int) Format {
	own := ownFormat[C]()
	if f == 0 {
		f = own
	}
	f.checkHolds(kernel, min, max)
	if own != Uint8 && f != own {
		fail(kernel, "codes of %v do not lie in %T, want []byte", f, []C(nil))
	}
	return f
}

// ownFormat returns the format of a slice of C that is not said to be another.
func ownFormat[C IntCode]() Format {
	f := Int8
	if unsafe.Sizeof(*new(C)) == 2 {
		f = Int16
	}
	if C(0)-1 > 0 { // behind it is what is unsigned
		f++
	}
	return f
}

// codesIn returns how many elements of C n codes of f take.
func codesIn[C IntCode](f Format, n int) int {
	if unsafe.Sizeof(*new(C)) == 2 {
		return n
	}
	return f.Bytes(n)
}

// checkFloatCodes panics unless codes of f can lie in a slice of C.
func checkFloatCodes[C FloatCode](kernel string, f Format) {
	if !liesIn[C](f) {
		fail(kernel, "codes of %v do not lie in %T", f, []C(nil))
	}
}

// liesIn reports whether codes of f can lie in a slice of C.
func liesIn[C FloatCode](f Format) bool {
	_, memory := any(*new(C)).(uint8)
	return memory || any(*new(C)) == codeformat.Rows[f].Elem
}

// bytesOf returns the memory of codes.
func bytesOf[C IntCode | FloatCode](codes []C) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(codes))), len(codes)*int(unsafe.Sizeof(*new(C))))
}

// inOrder brings codes of two bytes from little-endian bytes to the machine's order,
// and back, where they lie in elements of a type.
func inOrder[C IntCode](codes []C) {
	if unsafe.Sizeof(*new(C)) == 2 && bigEndian {
		b := bytesOf(codes)
		for i := 0; i < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	}
}
