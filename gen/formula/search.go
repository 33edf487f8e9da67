package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// The searches of package gguf: every operation is rounded by itself, and the sums are in the order of the elements. Groups for which a number is
// no number or would round in another way are not usual, and what is found for them means nothing.

// WeightKinds are what the errors of elements are weighed by.
var WeightKinds = &ir.Kind{Type: "Weight", Doc: "Weight is what the errors of elements are weighed by.",
	Choices: []string{"WeightMagnitude", "WeightSquare", "WeightImportance"}, Names: []string{"Magnitude", "Square", "Importance"}}

// TurnedKinds are the lengths of groups.
var TurnedKinds = &ir.Kind{Type: "Turned", Doc: "Turned is the number of elements of the groups that are put side by side.",
	Choices: []string{"Turned16", "Turned32"}, Names: []string{"16", "32"}}

// The numbers of the groups of a search, in their order.
var (
	RangedNumbers = &ir.Kind{Type: "RangedNumber", Doc: "RangedNumber is one of the numbers of a group in RangedSearch."}
	SignedNumbers = &ir.Kind{Type: "SignedNumber", Doc: "SignedNumber is one of the numbers of a group in ScaleSearch, PositiveSearch and CodeSearch."}
)

func number(kind *ir.Kind, name string) int {
	kind.Choices = append(kind.Choices, name)
	return len(kind.Choices) - 1
}

var (
	rangedLow        = number(RangedNumbers, "RangedLow")        // the least element; +Inf before
	rangedHigh       = number(RangedNumbers, "RangedHigh")       // the greatest; -Inf before
	rangedBest       = number(RangedNumbers, "RangedBest")       // the least error so far; +Inf before
	rangedUsual      = number(RangedNumbers, "RangedUsual")      // 1, or 0 for a group that is not
	rangedW          = number(RangedNumbers, "RangedWeights")    // sum w
	rangedX          = number(RangedNumbers, "RangedElements")   // sum w*x
	rangedLeast      = number(RangedNumbers, "RangedLeast")      // the least value, of the best try so far
	rangedFitScale   = number(RangedNumbers, "RangedFitScale")   // likewise
	rangedFitInverse = number(RangedNumbers, "RangedFitInverse") // likewise
	rangedFitBase    = number(RangedNumbers, "RangedFitBase")    // the least value with which its levels were found
	rangedInverse    = number(RangedNumbers, "RangedInverse")    // of the try
	rangedL          = number(RangedNumbers, "RangedL")          // sum w*l
	rangedL2         = number(RangedNumbers, "RangedL2")         // sum (w*l)*l
	rangedXL         = number(RangedNumbers, "RangedXL")         // sum (w*l)*x
	rangedScale      = number(RangedNumbers, "RangedScale")
	rangedOffset     = number(RangedNumbers, "RangedOffset")
	rangedErrors     = number(RangedNumbers, "RangedErrors")
	rangedLimit      = number(RangedNumbers, "RangedLimit") // what the error must be below
	_                = number(RangedNumbers, "RangedAll")   // how many there are
)

var (
	signedMost    = number(SignedNumbers, "SignedMost")    // the element of largest magnitude; 0 before
	signedBest    = number(SignedNumbers, "SignedBest")    // how good the best scale so far is; -Inf before
	signedUsual   = number(SignedNumbers, "SignedUsual")   // 1, or 0 for a group that is not
	signedW       = number(SignedNumbers, "SignedWeights") // sum w
	signedScale   = number(SignedNumbers, "SignedScale")   // the best
	signedFitted  = number(SignedNumbers, "SignedFitted")  // its inverse
	signedInverse = number(SignedNumbers, "SignedInverse") // of the try
	signedNinth   = number(SignedNumbers, "SignedNinth")   // its ninth part
	signedA       = number(SignedNumbers, "SignedA")
	signedB       = number(SignedNumbers, "SignedB")
	_             = number(SignedNumbers, "SignedAll") // how many there are
)

// unit rounds to an integer, half to even, for magnitudes below 2^22; of zeros the sign is any.
func (b block) unit(v *ir.BlockNode) *ir.BlockNode {
	magic := b.Each(12582912)
	return v.Add(magic).Sub(magic).Tabled(v.Round(), v.Round())
}

// positive has yes where v > 0.
func (b block) positive(v, yes, no *ir.BlockNode) *ir.BlockNode {
	return v.WhereAbove(b.Each(0), yes, no)
}

// finite has yes where v is finite.
func (b block) finite(v, yes, no *ir.BlockNode) *ir.BlockNode {
	return b.Each(math.MaxFloat32).Where(unsigned(v), yes, no)
}

const ofGroups = "\nIt runs over n >= 1 rows of groups, of which params has numbers, and groups is four times as many as there are; count >= 1 tries have four numbers each."

func searches() []*ir.Kernel {
	return append(weights(), turn("16", 16), turn("32", 32), columns(), rangedSearch(), scaleSearch(), positiveSearch(), codeSearch())
}

// turn puts groups side by side.
func turn(name string, length int) *ir.Kernel {
	k, b := ir.NewMover("search", "Turn", "sets n >= 1 times four rows to the elements of sixteen groups of so many.", TurnedKinds.Of(name))
	var x [4]*ir.BlockNode
	for g := range x { // and each fourth behind it
		x[g] = b.Quads("x", 4*length*g, 4*length*4, 16)
	}
	putTurned(b, x, 4*ir.SearchGroups)
	return k
}

// columns puts groups of any length side by side, in rows of as many as are searched for ranges.
func columns() *ir.Kernel {
	k, b := ir.NewMover("search", "FourColumns", "sets n >= 1 times four rows of 16 to elements of four groups, from where they begin.")
	k.UpTo256 = true
	var x [4]*ir.BlockNode
	for g, name := range []string{"a", "b", "c", "d"} {
		x[g] = b.Move(name, 0, 16)
	}
	putTurned(b, x, 4*16)
	return k
}

// putTurned stores four elements of groups in four rows of so many bytes.
func putTurned(b *ir.Block, x [4]*ir.BlockNode, row int) {
	for half, pair := range [2][2]*ir.BlockNode{{x[0].Lower32(x[1]), x[2].Lower32(x[3])}, {x[0].Upper32(x[1]), x[2].Upper32(x[3])}} {
		b.PutBytes("rows", row*2*half, 4*row, pair[0].Lower(pair[1]))
		b.PutBytes("rows", row*(2*half+1), 4*row, pair[0].Upper(pair[1]))
	}
}

// weights are the kernels that weigh elements.
func weights() []*ir.Kernel {
	k, s := ir.NewSearch("search", "SquareRoots", "sets number 0 to the root of sum x*x times the first number."+ofGroups)
	stage := s.Stage(false)
	b := stage.Rows()
	x := b.Row("x")
	b.Sum(0, x.Mul(x))
	b = stage.Numbers()
	b.StoreLane(0, b.Lane(0).Mul(b.Try(0)).Sqrt())
	ks := []*ir.Kernel{k}
	for i, doc := range []string{"abs(x) + number 0", "x*x", "importance * the root of number 0 + x*x"} {
		k, s := ir.NewSearch("search", "Weights", "sets w to "+doc+"."+ofGroups, WeightKinds.Of(WeightKinds.Names[i]))
		b := s.Stage(false).Rows()
		w := b.Row("x")
		switch i {
		case 0:
			w = unsigned(w).Add(b.Lane(0))
		case 1:
			w = w.Mul(w)
		case 2:
			w = b.Row("importance").Mul(b.Lane(0).Add(w.Mul(w)).Sqrt())
		}
		b.StoreRow("w", w)
		ks = append(ks, k)
	}
	return ks
}

// rangedSearch fits levels from 0 to n.
func rangedSearch() *ir.Kernel {
	k, s := ir.NewSearch("search", "RangedSearch", `finds the scale and the least value of the least sum w*error, error being that of scale*l + least - x, squared or, by choice, without its sign.
The numbers of a try are how many levels l = min(max(round((x-least)*inverse), 0), n) it puts between the least value and the greatest element, n, of the first
one, 1, that its scale is the inverse of this, and below what a group with (x-least)*inverse is not usual: -3.9e6, or -15 for choice 2, which is n = 15 with at most
sixteen levels. Those of one more try are read. All tries but the last nine must put less than n + 0.49 levels there, so that no l is above n.`+ofGroups)
	rangedStart(s.Stage(false))
	stage := s.Stage(true)
	rangedLevels(stage)
	rangedFit(block{stage.Numbers()})
	stage = s.Stage(true)
	rangedMiss(stage)
	rangedChoice(block{stage.Numbers()})
	return k
}

// rangedStart finds the range of a group, its sums, and what the first try puts between least and greatest.
func rangedStart(stage *ir.Stage) {
	b := block{stage.Rows()}
	x, w := b.Row("x"), b.Row("w")
	low, high := b.Carry(rangedLow), b.Carry(rangedHigh)
	low.Carried(low.WhereAbove(x, x, low))
	high.Carried(x.WhereAbove(high, x, high))
	b.Sum(rangedW, w)
	b.Sum(rangedX, w.Mul(x))

	b = block{stage.Numbers()}
	none := b.Each(0)
	least := b.positive(b.Lane(rangedLow), none, b.Lane(rangedLow))
	width := b.Lane(rangedHigh).Sub(least)
	inverse := b.Try(1).Div(width)
	usual := b.positive(inverse, b.finite(inverse, b.Each(1), none), none)
	for _, sum := range []int{rangedW, rangedX} { // that is finite is one of finite elements; one that is zero may lack its sign
		usual = b.finite(b.Lane(sum), b.positive(unsigned(b.Lane(sum)), usual, none), none)
	}
	b.StoreLane(rangedUsual, usual)
	b.StoreLane(rangedLeast, least)
	b.StoreLane(rangedFitBase, least)
	b.StoreLane(rangedFitInverse, inverse)
	b.StoreLane(rangedInverse, inverse)
	b.StoreLane(rangedFitScale, inverse.Under(1))
}

// rangedLevels finds the levels of a try, and their sums.
func rangedLevels(stage *ir.Stage) {
	clipped, looked := stage.Either(2)
	looked.Tables = []int{32}
	free := stage.Before(9, clipped)
	free.Tables = []int{8} // others gain too little by it
	for _, b := range []block{{clipped}, {looked}, {free}} {
		x := b.Row("x")
		l := x.Sub(b.Lane(rangedLeast)).Mul(b.Lane(rangedInverse))
		if b.Block == looked {
			var table [32]float32
			for i := range table[:17] {
				table[i] = min(float32(i), 15)
			}
			l = b.Table(l.Add(b.Each(12582912)), table)
		} else {
			l = b.unit(l).Max(b.Each(0))
			if b.Block == clipped {
				l = l.Min(b.Try(1))
			}
		}
		b.StoreRow("l", l)
		wl := b.Row("w").Mul(l)
		b.Sum(rangedL, wl)
		b.Sum(rangedL2, wl.Mul(l))
		b.Sum(rangedXL, wl.Mul(x))
	}
}

// rangedFit finds the scale and the least value that fit the levels best, and what their error must be below; of the first try those that it began with.
func rangedFit(b block) {
	sl, sl2, sxl := b.Lane(rangedL), b.Lane(rangedL2), b.Lane(rangedXL)
	sw, sx := b.Lane(rangedW), b.Lane(rangedX)
	d := sw.Mul(sl2).Sub(sl.Mul(sl))
	offset := sl2.Mul(sx).Sub(sl.Mul(sxl)).Div(d)
	first := func(yes, no *ir.BlockNode) *ir.BlockNode { return b.positive(b.Try(2), yes, no) }
	scale := b.positive(offset, sxl, sw.Mul(sxl).Sub(sx.Mul(sl))).Div(b.positive(offset, sl2, d))
	b.StoreLane(rangedScale, first(b.Lane(rangedFitScale), scale))
	b.StoreLane(rangedOffset, first(b.Lane(rangedLeast), b.positive(offset, b.Each(0), offset)))
	b.StoreLane(rangedLimit, first(b.Lane(rangedBest), b.positive(d, b.Lane(rangedBest), b.Each(float32(math.Inf(-1))))))
}

// rangedMiss sums the errors up.
func rangedMiss(stage *ir.Stage) {
	squared, absolute := stage.Either(1)
	for _, b := range []*ir.Block{squared, absolute} {
		e := b.Row("l").Mul(b.Lane(rangedScale)).Add(b.Lane(rangedOffset)).Sub(b.Row("x"))
		if b == squared {
			e = e.Mul(e)
		} else {
			e = unsigned(e)
		}
		b.Sum(rangedErrors, b.Row("w").Mul(e))
	}
}

// rangedChoice keeps the try if it is the best so far, and finds the inverse scale of the next.
func rangedChoice(b block) {
	e := b.Lane(rangedErrors)
	taken := func(yes, no int) *ir.BlockNode { return b.Lane(rangedLimit).WhereAbove(e, b.Lane(yes), b.Lane(no)) }
	best, least := taken(rangedErrors, rangedBest), taken(rangedOffset, rangedLeast)
	b.StoreLane(rangedFitScale, taken(rangedScale, rangedFitScale))
	b.StoreLane(rangedFitInverse, taken(rangedInverse, rangedFitInverse))
	b.StoreLane(rangedFitBase, taken(rangedLeast, rangedFitBase))
	b.StoreLane(rangedBest, best)
	b.StoreLane(rangedLeast, least)
	width := b.Lane(rangedHigh).Sub(least)
	inverse := b.Try(ir.TryNumbers).Div(width)
	b.StoreLane(rangedInverse, inverse)
	lowest := inverse.Mul(b.Lane(rangedLow).Sub(least))
	none := b.Each(0)
	usual := b.finite(best, b.Lane(rangedUsual), none) // the first error
	usual = b.positive(width, b.finite(inverse, usual, none), none)
	b.StoreLane(rangedUsual, lowest.Where(b.Try(3), usual, none)) // it is to be rounded
}

// tiny is what ggml takes for zero.
const tiny = 1e-15

// scaleSearch fits levels around 0, or values.
func scaleSearch() *ir.Kernel {
	k, s := ir.NewSearch("search", "ScaleSearch", `finds the scale of the least sum w*(scale*v - x)^2, v = min(max(round(x*inverse), least), most) or, by choice, the value of IQ4_NL that is nearest to x*inverse.
The numbers of a try are the inverse times the element of largest magnitude, what this is divided by before, or 0, for the first try only, and most and least. The first
try must be taken. Those of one more are read. Of all tries but the last five the first number is above least - 0.49, so that no v is below least.`+ofGroups)
	invert := func(b block, inverse *ir.BlockNode) {
		b.StoreLane(signedInverse, inverse)
		b.StoreLane(signedNinth, inverse.Mul(b.Each(1./9)))
	}
	stage := s.Stage(false)
	b := block{stage.Rows()}
	x := b.Row("x")
	largest := b.Carry(signedMost)
	largest.Carried(unsigned(x).WhereAbove(unsigned(largest), x, largest))
	w := b.Row("w")
	b.Sum(signedW, w)
	b.StoreRow("wx", w.Mul(x))

	b = block{stage.Numbers()}
	none, most := b.Each(0), b.Lane(signedMost)
	b.StoreLane(signedUsual, unsigned(most).Where(b.Each(tiny), b.finite(most, b.Each(1), none), none))
	divisor := b.Try(1)
	invert(b, b.positive(divisor, most.Div(divisor).Under(1), b.Try(0).Div(most)))

	stage = s.Stage(true)
	levels, values := stage.Either(1)
	free := stage.Before(5, levels)
	free.Tables = []int{8, 32}
	for _, b := range []block{{levels}, {free}} {
		l := b.unit(b.Row("x").Mul(b.Lane(signedInverse))).Min(b.Try(2))
		if b.Block == levels {
			l = l.Max(b.Try(3))
		}
		b.Sum(signedA, b.Row("wx").Mul(l))
		b.Sum(signedB, b.Row("w").Mul(l).Mul(l))
	}

	b = block{values}
	x = b.Row("x")
	v := b.iq4(x, b.Lane(signedInverse), b.Lane(signedNinth))
	wv := b.Row("w").Mul(v)
	b.Sum(signedA, wv.Mul(x))
	b.Sum(signedB, wv.Mul(v))

	b = block{stage.Numbers()}
	a, d := b.Lane(signedA), b.Lane(signedB)
	bound := b.positive(d, b.Lane(signedBest).Mul(d), b.Each(float32(math.Inf(1))))
	scale := a.Div(d)
	taken := func(yes, no *ir.BlockNode) *ir.BlockNode { return a.Mul(a).WhereAbove(bound, yes, no) }
	best := taken(scale.Mul(a), b.Lane(signedBest))
	b.StoreLane(signedScale, taken(scale, b.Lane(signedScale)))
	b.StoreLane(signedFitted, taken(b.Lane(signedInverse), b.Lane(signedFitted)))
	b.StoreLane(signedBest, best)
	b.StoreLane(signedUsual, best.WhereAbove(b.Each(float32(math.Inf(-1))), b.Lane(signedUsual), b.Each(0))) // the first is taken
	invert(b, b.Try(ir.TryNumbers).Div(b.Lane(signedMost)))
	return k
}

// iq4 is the value of IQ4_NL that is nearest to x*inverse, which is from -134.1 to 134.1; what is just between two takes the upper one. A machine
// with tables looks for the value in the ninth part of x*inverse, rounded: of numbers that round alike, or nearly so, all are on one side of all
// places between values but one at most, as those are 11.5 apart or more. That is its one comparison.
func (b block) iq4(x, inverse, ninth *ir.BlockNode) *ir.BlockNode {
	scaled := x.Mul(inverse)
	v := b.Each(float32(iq4[0]))
	for i, next := range iq4[1:] {
		v = scaled.Where(b.Each(iq4Place(i)), b.Each(float32(next)), v)
	}
	var values [16]float32
	for i := range values {
		values[i] = float32(iq4[i])
	}
	between, codes := iq4Ninths()
	var below, above [32]float32
	for i, code := range codes {
		below[i], above[i] = values[int(code)], values[min(int(code)+1, 15)]
	}
	at := x.MulAdd(ninth, b.Each(12582912))
	return scaled.Where(b.Table(at, between), b.Table(at, above), b.Table(at, below)).Tabled(b.Among(scaled, iq4Places(), iq4), v)
}

// iq4Places are all of them.
func iq4Places() (places [15]float32) {
	for i := range places {
		places[i] = iq4Place(i)
	}
	return places
}

// iq4Place is just between the values of a code and of the next one.
func iq4Place(code int) float32 { return (float32(iq4[code]) + float32(iq4[code+1])) / 2 }

// iq4Ninths has for the low five bits of a rounded ninth part the code below, and from where on it is the next one, +Inf if it is not.
func iq4Ninths() (between, below [32]float32) {
	for i := range between {
		between[i] = float32(math.Inf(1))
	}
	for code := range 15 {
		place := iq4Place(code)
		for ninth := -15; ninth <= 15; ninth++ {
			switch at := ninth & 31; {
			case place < 9*float32(ninth)-4.75:
				below[at] = float32(code + 1)
			case place < 9*float32(ninth)+4.75:
				between[at] = place
			}
		}
	}
	return between, below
}

// Values records the kernel that finds codes of IQ4_NL, for machines with tables.
func Values() []*ir.Kernel {
	k, b := ir.NewCoder("writeblocks", "ValueCodes", `writes the codes of n >= 1 times 64 elements, a byte each, with a factor for each sixteen: that of the value of IQ4_NL that is nearest to x*factor,
of two the upper one. No product is a NaN.`)
	w := writer{block{b}}
	between, below := iq4Ninths()
	w.coded(func(i int) *ir.BlockNode {
		scaled := w.Elements(16 * i).Mul(w.coder("factors", i))
		clipped := scaled.Max(w.Each(-128)).Min(w.Each(127))
		at := clipped.MulAdd(w.Each(1./9), w.Each(12582912))
		code := w.Table(at, below)
		code = scaled.Where(w.Table(at, between), code.Add(w.Each(1)), code)
		return code.Tabled(w.Among(scaled, iq4Places(), plain), code)
	})
	return []*ir.Kernel{k}
}

// positiveSearch fits levels to numbers that are not negative.
func positiveSearch() *ir.Kernel {
	k, s := ir.NewSearch("search", "PositiveSearch", `finds the inverse of the scale of the least sum w*(x - scale*round(x*inverse))^2, of numbers from 0 to m, which is number 0, and w not negative.
A try has one number, the inverse times m. That of one more is read.`+ofGroups)
	invert := func(b block, try int) *ir.BlockNode {
		inverse := b.Try(try).Div(b.Lane(signedMost))
		b.StoreLane(signedInverse, inverse)
		b.StoreLane(signedScale, inverse.Under(1))
		return inverse
	}
	b := block{s.Stage(false).Numbers()}
	b.StoreLane(signedFitted, invert(b, 0)) // for an error that is infinite

	stage := s.Stage(true)
	b = block{stage.Rows()}
	x := b.Row("x")
	d := x.Sub(b.Lane(signedScale).Mul(b.unit(x.Mul(b.Lane(signedInverse)))))
	b.Sum(signedA, b.Row("w").Mul(d).Mul(d))

	b = block{stage.Numbers()}
	e, best := b.Lane(signedA), b.Lane(signedBest)
	b.StoreLane(signedFitted, best.WhereAbove(e, b.Lane(signedInverse), b.Lane(signedFitted)))
	b.StoreLane(signedBest, best.WhereAbove(e, e, best))
	invert(b, ir.TryNumbers)
	return k
}

// codeSearch changes one code after the other.
func codeSearch() *ir.Kernel {
	k, s := ir.NewSearch("search", "CodeSearch", `sets l to min(max(round(-4*x/m), -4), 3), m being the element of largest magnitude, and, in each try but the last, each of them to
what makes sum x^2*(scale*l - x)^2 the least for the others, if that is better. Its scale is sum x^3*l / sum x^2*l^2. The last try only looks: groups in which
one more would change are not usual.`+ofGroups)
	levels := func(b block, v *ir.BlockNode) *ir.BlockNode { return b.unit(v).Min(b.Each(3)).Max(b.Each(-4)) }
	stage := s.Stage(false)
	b := block{stage.Rows()}
	x := b.Row("x")
	largest := b.Carry(signedMost)
	largest.Carried(unsigned(x).WhereAbove(unsigned(largest), x, largest))

	b = block{stage.Numbers()}
	none, most := b.Each(0), b.Lane(signedMost)
	b.StoreLane(signedUsual, unsigned(most).Where(b.Each(tiny), b.finite(most, b.Each(1), none), none))
	b.StoreLane(signedInverse, most.Under(-4))

	b = block{stage.Rows()}
	x = b.Row("x")
	l := levels(b, x.Mul(b.Lane(signedInverse)))
	b.StoreRow("l", l)
	w := x.Mul(x)
	b.Sum(signedA, w.Mul(x).Mul(l))
	b.Sum(signedB, w.Mul(l).Mul(l))

	b = block{stage.Numbers()}
	b.StoreLane(signedUsual, b.finite(b.Lane(signedB), b.Lane(signedUsual), b.Each(0))) // no element is a NaN

	stage = s.Stage(true)
	looking := stage.Rows()
	changing := stage.Before(1, looking)
	for _, b := range []block{{changing}, {looking}} {
		x, l := b.Row("x"), b.Row("l")
		number := b.Carry
		if b.Block == looking {
			number = b.Lane
		}
		a, d, usual := number(signedA), number(signedB), b.Carry(signedUsual)
		w := x.Mul(x)
		wx := w.Mul(x)
		a1, d1 := a.Sub(wx.Mul(l)), d.Sub(w.Mul(l).Mul(l)) // of the others
		quotient := x.Mul(d1).Div(a1)
		rounds := b.Each(4e6).Where(unsigned(quotient), usual, b.Each(0))
		next := levels(b, quotient)
		a2, d2 := a1.Add(wx.Mul(next)), d1.Add(w.Mul(next).Mul(next))
		could := unsigned(next.Sub(l)).Min(a1).Min(d2) // positive; a NaN of them is not taken in any case
		better := b.positive(could, a2.Mul(a2).Mul(d), b.Each(float32(math.Inf(-1))))
		bound := a.Mul(a).Mul(d2)
		taken := func(yes, no *ir.BlockNode) *ir.BlockNode { return better.WhereAbove(bound, yes, no) }
		rounds = b.positive(a1, rounds, usual)
		if b.Block == looking {
			usual.Carried(taken(b.Each(0), rounds))
			continue
		}
		usual.Carried(rounds)
		b.StoreRow("l", taken(next, l))
		a.Carried(taken(a2, a))
		d.Carried(taken(d2, d))
	}
	return k
}
