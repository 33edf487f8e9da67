package gridtest_test

import (
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lowbit-go/lowbit/internal/minifloat/gridtest"
)

func integers(n int) gridtest.Grid {
	return gridtest.New(n, func(i int) float64 { return float64(i) }, float64(n))
}

func TestNearest(t *testing.T) {
	g := integers(3)
	for x, want := range map[float64]int{
		0: 0, 0.5: 0, math.Nextafter(0.5, 1): 1, 1: 1, 1.25: 1, math.Nextafter(1.5, 0): 1,
		1.5: 2, 2: 2, 2.5: 2, math.Nextafter(2.5, 3): 3, 3: 3, 1e9: 3, math.Inf(1): 3,
	} {
		assert.Equal(t, want, g.Nearest(x), "%v", x)
	}
	g.TieUp = true
	for x, want := range map[float64]int{0.5: 1, math.Nextafter(0.5, 0): 0, 1.5: 2, 2.5: 3} {
		assert.Equal(t, want, g.Nearest(x), "tie up: %v", x)
	}
}

func TestWalkIsCompleteAndAgreesWithNearest(t *testing.T) {
	g := integers(5)
	var mu sync.Mutex
	next := map[uint32]uint32{} // first of a range to what follows its last
	g.Walk(func(first, last uint32, index int) {
		mu.Lock()
		defer mu.Unlock()
		next[first] = last + 1
		for _, b := range []uint32{first, last} {
			assert.Equal(t, g.Nearest(float64(math.Float32frombits(b))), index, "%#x", b)
		}
	})
	at := uint32(0)
	for range len(next) {
		at = next[at]
	}
	assert.Equal(t, math.Float32bits(float32(math.Inf(1)))+1, at)
}
