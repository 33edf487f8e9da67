// Package gridtest says how a number rounds to a small floating-point format
// from the list of all the format's values alone: by comparing with the
// midpoints between neighbours, and without a look at any bit of the number.
// Tests hold conversions against it; it is not made for speed.
package gridtest

import (
	"math"
	"runtime"
	"sort"
	"sync"
)

// Grid is what a format can represent, without signs.
type Grid struct {
	// Values holds the values from 0 (or the least one, if there is no zero)
	// to the largest, ascending, and behind them the one that would follow if
	// the format did not end there. The midpoint of any two neighbours must be
	// a float64.
	Values []float64

	// TieUp makes a midpoint round to the larger neighbour, as in formats
	// without mantissa bits. Otherwise it rounds to the one of even index.
	TieUp bool
}

// New returns the grid whose values are value(0), ..., value(n-1), and next
// behind them.
func New(n int, value func(i int) float64, next float64) Grid {
	v := make([]float64, n, n+1)
	for i := range v {
		v[i] = value(i)
	}
	return Grid{Values: append(v, next)}
}

// Nearest returns the index in Values of the one nearest to x >= 0. An index of
// len(Values)-1 means that x is out of the format's range.
func (g Grid) Nearest(x float64) int {
	return sort.Search(len(g.Values)-1, func(i int) bool { return !g.above(x, i) })
}

// above reports whether x rounds to something above Values[i].
func (g Grid) above(x float64, i int) bool {
	m := g.midpoint(i)
	return x > m || x == m && (g.TieUp || i%2 == 1)
}

// midpoint returns the number half-way between Values[i] and its successor.
func (g Grid) midpoint(i int) float64 { return g.Values[i] + (g.Values[i+1]-g.Values[i])/2 }

// Probes returns the numbers where a conversion is most easily wrong: each
// value and each midpoint with the three float32 and the three float64 below
// and above it, zero, infinity, and the ends of both types.
func (g Grid) Probes() []float64 {
	p := []float64{
		0, math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat32, 0x1p-126, 0x1p-1022,
		math.MaxFloat32, math.MaxFloat64, math.Inf(1),
	}
	for i, v := range g.Values {
		p = around(p, v)
		if i+1 < len(g.Values) {
			p = around(p, g.midpoint(i))
		}
	}
	return p
}

func around(p []float64, x float64) []float64 {
	p = append(p, x)
	for _, end := range []float64{0, math.MaxFloat64} {
		narrow, wide := float32(x), x
		for range 3 {
			narrow = math.Nextafter32(narrow, float32(end))
			wide = math.Nextafter(wide, end)
			p = append(p, float64(narrow), wide)
		}
	}
	return p
}

// Walk goes through all float32 from +0 to +Inf. It calls visit, on several
// goroutines at once, with ranges of bit patterns, first to last, that all
// round to Values[index]. Every pattern is in one range.
func (g Grid) Walk(visit func(first, last uint32, index int)) {
	const piece = 1 << 22 // splits the long ranges, so that the cores share them
	const inf = 0x7F800000
	type span struct {
		first, last uint32
		index       int
	}
	spans := make(chan span)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for s := range spans {
				visit(s.first, s.last, s.index)
			}
		})
	}
	first := uint32(0)
	for i := range g.Values {
		end := uint32(inf + 1) // the first pattern that rounds higher
		if i+1 < len(g.Values) {
			end = g.firstAbove(i)
		}
		for first < end {
			last := min(end, first+piece) - 1
			spans <- span{first, last, i}
			first = last + 1
		}
	}
	close(spans)
	wg.Wait()
}

// firstAbove returns the bits of the least float32 that rounds to something
// above Values[i].
func (g Grid) firstAbove(i int) uint32 {
	x := float32(g.midpoint(i)) // at most one float32 off the place
	for x > 0 && g.above(float64(math.Nextafter32(x, 0)), i) {
		x = math.Nextafter32(x, 0)
	}
	for !g.above(float64(x), i) {
		x = math.Nextafter32(x, float32(math.Inf(1)))
	}
	return math.Float32bits(x)
}
