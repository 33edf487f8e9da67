package kernels

import (
	"math"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/asm"
)

// A number is clamped to the format's largest value to saturate, and to the
// number one step behind it to overflow: that has the code of NaN or infinity.
const (
	overflowE4M3FN   = fp8.E4M3FNMax + 32
	overflowE5M2     = fp8.E5M2Max + 8192
	overflowE4M3FNUZ = fp8.E4M3FNUZMax + 16
	overflowE5M2FNUZ = fp8.E5M2FNUZMax + 8192
)

var overflowE8M0 = float32(math.Inf(1))

// encodeAsm converts by assembly, clamping to most in fp8 and fp4.
func encodeAsm[D small](impl isa, dst []D, src []float32, most float32) {
	s := flat(len(src), streamingTo(impl, len(src), 32, unsafe.Pointer(&dst[0]), 8*int(unsafe.Sizeof(dst[0])), NoMask))
	for s.advance() {
		y, x, n := unsafe.Pointer(&dst[s.off]), &src[s.off], s.length
		switch any(*new(D)).(type) {
		case float16.Float16:
			asm.Encode(impl, asm.F16, (*uint16)(y), x, n, s.ahead)
		case bf16.BFloat16:
			asm.Encode(impl, asm.BF16, (*uint16)(y), x, n, s.ahead)
		default:
			asm.EncodeFp(impl, smallCode[D](), (*byte)(y), x, most, n, s.ahead)
		}
	}
}

// decodeAsm converts by assembly.
func decodeAsm[S small](impl isa, dst []float32, src []S) {
	s := flat(len(src), streamingTo(impl, len(src), 8*int(unsafe.Sizeof(src[0])), unsafe.Pointer(&dst[0]), 32, NoMask))
	for s.advance() {
		y, x, n := &dst[s.off], unsafe.Pointer(&src[s.off]), s.length
		switch any(*new(S)).(type) {
		case float16.Float16:
			asm.Decode(impl, asm.F16, y, (*uint16)(x), n, s.ahead)
		case bf16.BFloat16:
			asm.Decode(impl, asm.BF16, y, (*uint16)(x), n, s.ahead)
		default:
			asm.DecodeFp(impl, smallCode[S](), y, x, n, s.ahead)
		}
	}
}

// smallCode is what the assembly calls a type of one byte.
func smallCode[S small]() asm.Code {
	switch any(*new(S)).(type) {
	case fp8.E4M3FN:
		return asm.E4M3
	case fp8.E5M2:
		return asm.E5M2
	case fp8.E4M3FNUZ:
		return asm.E4M3FNUZ
	case fp8.E5M2FNUZ:
		return asm.E5M2FNUZ
	case fp8.E8M0:
		return asm.E8M0
	}
	return asm.E2M1
}
