package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// The passes over sixteen groups of package gguf's searches: every operation is rounded by itself, and the sums are in the
// order of the elements.

// ErrorKinds are how errors count.
var ErrorKinds = &ir.Kind{Type: "Error", Doc: "Error is how the errors of a search count.",
	Choices: []string{"SquaredError", "AbsoluteError"}, Names: []string{"Squared", "Absolute"}}

// unit rounds to an integer, half to even, for magnitudes below 2^22.
func (b block) unit(v *ir.BlockNode) *ir.BlockNode {
	magic := b.Each(12582912)
	return v.Add(magic).Sub(magic)
}

const sixteenGroups = "\nIt runs over n >= 1 rows of sixteen groups, of which params and sums have one number each."

func searches() []*ir.Kernel {
	k, lanes := ir.NewLanes("search", "RangedSums", `sets l = min(max(round((x-least)*inverse), 0), most), and sums to sum w*l, sum (w*l)*l and sum (w*l)*x.
params are inverse, least and most.`+sixteenGroups)
	b := block{lanes}
	x := b.Row("x")
	l := b.unit(x.Sub(b.Lane(1)).Mul(b.Lane(0))).Max(b.Each(0)).Min(b.Lane(2))
	b.StoreRow("l", l)
	wl := b.Row("w").Mul(l)
	b.Sum(0, wl)
	b.Sum(1, wl.Mul(l))
	b.Sum(2, wl.Mul(x))
	ks := []*ir.Kernel{k}

	k, lanes = ir.NewLanes("search", "SymmetricSums", `sets sums to sum (w*x)*l and sum (w*l)*l, l = min(max(round(x*inverse), least), most).
params are inverse, least and most.`+sixteenGroups)
	b = block{lanes}
	x, w := b.Row("x"), b.Row("w")
	l = b.unit(x.Mul(b.Lane(0))).Min(b.Lane(2)).Max(b.Lane(1))
	b.Sum(0, w.Mul(x).Mul(l))
	b.Sum(1, w.Mul(l).Mul(l))
	ks = append(ks, k)

	for _, name := range ErrorKinds.Names {
		k, lanes = ir.NewLanes("search", "RangedError", `sets sums to sum w*error, error being that of scale*l + offset - x, squared or without its sign.
params are scale and offset.`+sixteenGroups, ErrorKinds.Of(name))
		b = block{lanes}
		e := b.Row("l").Mul(b.Lane(0)).Add(b.Lane(1)).Sub(b.Row("x"))
		if name == "Squared" {
			e = e.Mul(e)
		} else {
			e = e.Max(e.Mul(b.Each(-1)))
		}
		b.Sum(0, b.Row("w").Mul(e))
		ks = append(ks, k)
	}
	k, lanes = ir.NewLanes("search", "SquareSums", `sets a sum to sum x*x.`+sixteenGroups)
	x = lanes.Row("x")
	lanes.Sum(0, x.Mul(x))
	ks = append(ks, k)

	const moments = "sets sums to sum w and sum w*x"
	k, lanes = ir.NewLanes("search", "Moments", moments+"."+sixteenGroups)
	x, w = lanes.Row("x"), lanes.Row("w")
	lanes.Sum(0, w)
	lanes.Sum(1, w.Mul(x))
	ks = append(ks, k)

	k, lanes = ir.NewLanes("search", "RootMoments", "sets w to root + abs(x), and "+moments+`.
A parameter is the root.`+sixteenGroups)
	x = lanes.Row("x")
	w = unsigned(x).Add(lanes.Lane(0))
	lanes.StoreRow("w", w)
	lanes.Sum(0, w)
	lanes.Sum(1, w.Mul(x))
	return append(ks, k, rangedFit(), rangedAccept(), symmetricAccept())
}

// The numbers of sixteen groups in a search for ranges, sixteen each: first those that RangedSums takes and gives, then those of RangedError.
const (
	rangedInverse = iota
	rangedLeast   // the least element so far
	rangedLevels  // the largest level
	rangedL       // sum w*l
	rangedL2      // sum (w*l)*l
	rangedXL      // sum (w*l)*x
	rangedScale
	rangedOffset
	rangedErrors
	rangedW    // sum w
	rangedX    // sum w*x
	rangedBest // the least error so far
	rangedLimit
	rangedBottom // the least element
	rangedHigh   // the greatest
	rangedUsual
	rangedFitScale
	rangedFitInverse
	rangedFitBase
	rangedNext
)

// What is said of searches by numbers alone: they are one row.
const oneRow = "\nn is 1."

// positive has yes where v > 0.
func (b block) positive(v, yes, no *ir.BlockNode) *ir.BlockNode {
	return v.Where(b.Each(math.SmallestNonzeroFloat32), yes, no)
}

// rangedFit is the step of a search for ranges behind RangedSums.
func rangedFit() *ir.Kernel {
	k, lanes := ir.NewLanes("search", "RangedFit", `finds the scale and the offset of the least error for the levels of a search for ranges, and what an error must be below.
params are those of the search: 3 to 5, the sums, 9 and 10, those of the weights and the elements, 11, the best error, and then 6, 7 and 12, which it sets.`+oneRow)
	b := block{lanes}
	sl, sl2, sxl := b.Lane(rangedL), b.Lane(rangedL2), b.Lane(rangedXL)
	sw, sx := b.Lane(rangedW), b.Lane(rangedX)
	d := sw.Mul(sl2).Sub(sl.Mul(sl))
	offset := sl2.Mul(sx).Sub(sl.Mul(sxl)).Div(d)
	b.StoreLane(rangedScale, b.positive(offset, sxl.Div(sl2), sw.Mul(sxl).Sub(sx.Mul(sl)).Div(d)))
	b.StoreLane(rangedOffset, b.positive(offset, b.Each(0), offset))
	b.StoreLane(rangedLimit, b.positive(d, b.Lane(rangedBest), b.Each(float32(math.Inf(-1)))))
	return k
}

// rangedAccept is the step behind RangedError.
func rangedAccept() *ir.Kernel {
	k, lanes := ir.NewLanes("search", "RangedAccept", `takes what a try of a search for ranges found where its error, 8, is below its limit, 12, and begins the next, of 19 levels.
params are those of the search: of the try the inverse, 0, the least element, 1, and the scale and the offset, 6 and 7; of the group the best error, 11, its least and
greatest element, 13 and 14, and 15, which becomes 0 if the next try is not a usual one; what was taken are scale, inverse and least element, 16 to 18.`+oneRow)
	b := block{lanes}
	e, limit := b.Lane(rangedErrors), b.Lane(rangedLimit)
	taken := func(yes, no *ir.BlockNode) *ir.BlockNode { return e.Where(limit, no, limit.Where(e, yes, no)) } // of a NaN nothing
	b.StoreLane(rangedFitScale, taken(b.Lane(rangedScale), b.Lane(rangedFitScale)))
	b.StoreLane(rangedFitInverse, taken(b.Lane(rangedInverse), b.Lane(rangedFitInverse)))
	b.StoreLane(rangedFitBase, taken(b.Lane(rangedLeast), b.Lane(rangedFitBase)))
	b.StoreLane(rangedBest, taken(e, b.Lane(rangedBest)))
	least := taken(b.Lane(rangedOffset), b.Lane(rangedLeast))
	b.StoreLane(rangedLeast, least)
	width := b.Lane(rangedHigh).Sub(least)
	inverse := b.Lane(rangedNext).Div(width)
	b.StoreLane(rangedInverse, inverse)
	lowest := inverse.Mul(b.Lane(rangedBottom).Sub(least))
	none := b.Each(0)
	usual := b.Each(math.MaxFloat32).Where(inverse, b.Lane(rangedUsual), none)
	usual = lowest.Where(b.Each(-3.9e6), usual, none) // it is to be rounded
	b.StoreLane(rangedUsual, b.positive(width, usual, none))
	return k
}

// symmetricAccept is the step of a symmetric search behind SymmetricSums.
func symmetricAccept() *ir.Kernel {
	k, lanes := ir.NewLanes("search", "SymmetricAccept", `takes what a try of a symmetric search found where that is better, and begins the next.
params are those of the search: the inverse, 0; the sums, 3 and 4; the best so far, 5, with its scale, 6, and its inverse, 7; the greatest element, 8, and minus the
levels of the next try, 9.`+oneRow)
	b := block{lanes}
	a, d, best := b.Lane(3), b.Lane(4), b.Lane(5)
	square, bound := a.Mul(a), best.Mul(d)
	taken := func(yes, no *ir.BlockNode) *ir.BlockNode {
		return b.positive(d, bound.Where(square, no, square.Where(bound, yes, no)), no)
	}
	scale := a.Div(d)
	b.StoreLane(6, taken(scale, b.Lane(6)))
	b.StoreLane(7, taken(b.Lane(0), b.Lane(7)))
	b.StoreLane(5, taken(scale.Mul(a), best))
	b.StoreLane(0, b.Lane(9).Div(b.Lane(8)))
	return k
}
