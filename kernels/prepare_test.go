package kernels

import (
	"math"
	"testing"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// TestPrepare holds the reciprocals that implementations prepare against the
// division, and those that they refuse against the limits.
func TestPrepare(t *testing.T) {
	const groups = 67 // more than a vector, and a tail
	for _, name := range assembled(t) {
		impl, err := find(name)
		if err != nil {
			t.Fatal(err)
		}
		r := newSource(11)
		for range effort(20, 200, 100_000) {
			var recip, scale [groups]float32
			r.scales(scale[:])
			copy(scale[r.IntN(groups-8):], []float32{leastSafeScale, neighbour(float32(leastSafeScale), -1), mostSafeScale, neighbour(float32(mostSafeScale), 1),
				0, -1, float32(math.Inf(1)), float32(math.NaN())})
			asm.Prepare(impl, &recip[0], &scale[0], groups)
			for i, s := range scale {
				safe := leastSafeScale <= s && s <= mostSafeScale
				if got := recip[i]; safe && got != 1/s || !safe && got == got {
					t.Fatalf("%s: scale %x: %x", name, s, got)
				}
			}
		}
	}
}

const (
	leastSafeScale = 0x1p-80
	mostSafeScale  = 0x1p+100
)
