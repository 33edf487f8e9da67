package beam

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// readElements reads elements of a tensor from a byte on.
func readElements[T kernels.Float](in *safetensors.File, name string, dst []T, off int64) error {
	size := int(unsafe.Sizeof(*new(T)))
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(dst)*size)
	if err := in.ReadTensor(name, raw, off); err != nil {
		return err
	}
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 { // files are little-endian
		for one := range slices.Chunk(raw, size) {
			slices.Reverse(one)
		}
	}
	return nil
}
