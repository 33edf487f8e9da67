package kernels

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// A number is clamped to the format's largest value to saturate, and to the
// number one step behind it to overflow: that has the code of NaN or infinity.
const (
	overflowE4M3FN = fp8.E4M3FNMax + 32
	overflowE5M2   = fp8.E5M2Max + 8192
)

// encodeAsm converts if the implementation has assembly for the type, clamping
// to most in fp8.
func encodeAsm[D any](impl isa, dst []D, src []float32, most float32) bool {
	if impl == generic || len(src) == 0 {
		return false
	}
	for s := flat(len(src), streamingTo(impl, len(src), 32, unsafe.Pointer(&dst[0]), 8*int(unsafe.Sizeof(dst[0])), NoMask)); s.advance(); {
		y, x, n := unsafe.Pointer(&dst[s.off]), &src[s.off], s.length
		switch any(*new(D)).(type) {
		case float16.Float16:
			asm.Encode(impl, asm.F16, (*uint16)(y), x, n, s.ahead)
		case bf16.BFloat16:
			asm.Encode(impl, asm.BF16, (*uint16)(y), x, n, s.ahead)
		case fp8.E4M3FN:
			asm.EncodeFp(impl, asm.E4M3, (*byte)(y), x, most, n, s.ahead)
		case fp8.E5M2:
			asm.EncodeFp(impl, asm.E5M2, (*byte)(y), x, most, n, s.ahead)
		default:
			return false
		}
	}
	return true
}

// decodeAsm converts if the implementation has assembly for the type.
func decodeAsm[S any](impl isa, dst []float32, src []S) bool {
	if impl == generic || len(src) == 0 {
		return false
	}
	for s := flat(len(src), streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), 32, NoMask)); s.advance(); {
		y, x, n := &dst[s.off], unsafe.Pointer(&src[s.off]), s.length
		switch any(*new(S)).(type) {
		case float16.Float16:
			asm.Decode(impl, asm.F16, y, (*uint16)(x), n, s.ahead)
		case bf16.BFloat16:
			asm.Decode(impl, asm.BF16, y, (*uint16)(x), n, s.ahead)
		case fp8.E4M3FN:
			asm.DecodeFp(impl, asm.E4M3, y, (*byte)(x), n, s.ahead)
		case fp8.E5M2:
			asm.DecodeFp(impl, asm.E5M2, y, (*byte)(x), n, s.ahead)
		default:
			return false
		}
	}
	return true
}
