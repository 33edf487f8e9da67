package quant

import (
	"fmt"
	"math"
	"slices"

	"github.com/lowbit-go/lowbit/kernels"
)

// checkFinite tells whether all of x is finite. Where the kernels find ranges, these tell, and are there for the pass.
func (p *pass[T]) checkFinite(workers int) bool {
	p.equip(workers)
	if o := p.observer; o != nil && !o.fixed() && o.histogram() == nil && p.ranges == nil {
		p.observe()
		p.observed = true
		return finite(p.workspaces[0].allLow, p.workspaces[0].allHigh)
	}
	p.nonFinite.Store(false)
	p.unit = 64
	p.split(checking, p.workers)
	return !p.nonFinite.Load()
}

// checkShare looks for what is not finite in [lo, hi).
func (p *pass[T]) checkShare(ws *workspace[T], lo, hi int) {
	if lo == hi {
		return
	}
	low, high := p.minMax(ws, span{at: lo, grid: kernels.Grid{Rows: 1, Groups: 1, Len: hi - lo}})
	if !finite(low, high) {
		p.nonFinite.Store(true)
	}
}

// finite tells whether ranges are: then what they are of is, too.
func finite(low, high []float32) bool {
	beyond := func(x float32) bool { return !(math.Abs(float64(x)) <= math.MaxFloat32) }
	return !slices.ContainsFunc(low, beyond) && !slices.ContainsFunc(high, beyond)
}

// nonFinite is the error of a tensor that is not finite, with how much of it is not.
func nonFinite[T kernels.Float](label string, x []T) error {
	var nans, infinities int
	var wide [chunk]float32
	for at := 0; at < len(x); at += chunk {
		n := min(chunk, len(x)-at)
		widen(wide[:], x[at:][:n])
		for _, v := range wide[:n] {
			switch {
			case v != v:
				nans++
			case v-v != 0:
				infinities++
			}
		}
	}
	return &Error{ErrNonFinite, label, fmt.Sprintf("with %d NaN and %d infinite of %d elements", nans, infinities, len(x)), "finite elements"}
}
