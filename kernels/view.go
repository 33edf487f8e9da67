package kernels

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

// Viewable is a type of tensor elements, codes or parameters that bytes can be
// viewed as.
type Viewable interface {
	Float | IntCode | FloatCode | int32 | fp8.E4M3FNUZ | fp8.E5M2FNUZ | fp8.E8M0 | fp4.E2M1
}

// View returns little-endian bytes, as files of tensors have them, as a slice of
// E. Nothing is copied: the two share memory. View returns an error if the bytes
// are not a whole number of elements, or if E has more than one byte and b begins
// at an address that is not a multiple of its size, or the machine is big-endian.
func View[E Viewable](b []byte) ([]E, error) {
	size := int(unsafe.Sizeof(*new(E)))
	start := unsafe.Pointer(unsafe.SliceData(b))
	switch {
	case len(b)%size != 0:
		return nil, fmt.Errorf("kernels: View: %d bytes are not a whole number of %T, which has %d", len(b), *new(E), size)
	case size > 1 && bigEndian:
		return nil, fmt.Errorf("kernels: View: %T is little-endian in bytes, and this machine is big-endian", *new(E))
	case len(b) > 0 && uintptr(start)%uintptr(size) != 0:
		return nil, fmt.Errorf("kernels: View: the bytes begin at address %#x, which is not a multiple of the %d bytes of %T", uintptr(start), size, *new(E))
	}
	return unsafe.Slice((*E)(start), len(b)/size), nil
}

// ViewBytes returns a slice of E as little-endian bytes. Nothing is copied: the
// two share memory. ViewBytes returns an error if E has more than one byte and the
// machine is big-endian.
func ViewBytes[E Viewable](s []E) ([]byte, error) {
	size := int(unsafe.Sizeof(*new(E)))
	if size > 1 && bigEndian {
		return nil, fmt.Errorf("kernels: ViewBytes: %T is little-endian in bytes, and this machine is big-endian", *new(E))
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*size), nil
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1
