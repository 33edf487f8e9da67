package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// The assembly wants each group's parameters prepared: reciprocals of scales,
// and the ends between which an x does not clip. They are made for so many
// groups at a time, in a buffer on the stack that stays in the L1 cache; a
// call with few groups gets a small one, which costs less to clear.
const (
	manyGroups = 512
	fewGroups  = 16
)

// Division without dividing is exact for scales between these: dividends are
// clamped to 2^16 scales, so nothing overflows, and remainders are float32
// numbers for every dividend of 2^-101 or more. Of a smaller one the quotient is
// below 2^-21, and rounds to zero in every format however it comes out;
// TestDivision has the proof for what is left, the significands.
const (
	leastSafeScale = 0x1p-80
	mostSafeScale  = 0x1p+100
)

func safeScale(s float32) bool { return s >= leastSafeScale && s <= mostSafeScale }

// safeRun tells whether the first groups' scales allow division without
// dividing, and how many of the groups are alike in that.
func safeRun(impl isa, scale []float32) (safe bool, n int) {
	if len(scale) == 1 {
		return safeScale(scale[0]), 1
	}
	var least, most float32
	asm.MinMax(impl, asm.F32, unsafe.Pointer(&scale[0]), &least, &most, 1, len(scale))
	if least >= leastSafeScale && most <= mostSafeScale {
		return true, len(scale)
	}
	safe = safeScale(scale[0])
	n = 1
	for n < len(scale) && safeScale(scale[n]) == safe {
		n++
	}
	return safe, n
}

// Parameters that a caller left out.
var (
	noZeroPoint [manyGroups]int32
	noMinval    [manyGroups]float32
)
