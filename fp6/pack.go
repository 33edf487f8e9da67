package fp6

import "fmt"

// PackedLen returns how many bytes n packed codes take: ceil(6*n/8).
func PackedLen(n int) int { return n/4*3 + (n%4*6+7)/8 }

// Pack writes codes to dst, four to three bytes: a little-endian stream of bits,
// code i in the bits from 6*i on, the last byte padded with zeros. It panics unless
// dst has PackedLen(len(src)) bytes.
func Pack[T E2M3 | E3M2](dst []byte, src []T) {
	checkPacked("Pack", "dst", len(dst), len(src))
	for len(src) > 0 {
		n := min(4, len(src))
		var w uint32
		for i, c := range src[:n] {
			w |= uint32(c&codeMask) << (6 * i)
		}
		for i := range PackedLen(n) {
			dst[i] = byte(w >> (8 * i))
		}
		dst, src = dst[PackedLen(n):], src[n:]
	}
}

// Unpack is the inverse of Pack. It panics unless src has PackedLen(len(dst)) bytes.
func Unpack[T E2M3 | E3M2](dst []T, src []byte) {
	checkPacked("Unpack", "src", len(src), len(dst))
	for len(dst) > 0 {
		n := min(4, len(dst))
		var w uint32
		for i, b := range src[:PackedLen(n)] {
			w |= uint32(b) << (8 * i)
		}
		for i := range n {
			dst[i] = T(w >> (6 * i) & codeMask)
		}
		dst, src = dst[n:], src[PackedLen(n):]
	}
}

func checkPacked(function, name string, bytes, codes int) {
	if want := PackedLen(codes); bytes != want {
		panic(fmt.Sprintf("fp6: %s: len(%s)=%d, want %d", function, name, bytes, want))
	}
}
