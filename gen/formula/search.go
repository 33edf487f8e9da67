package formula

import "github.com/lowbit-go/lowbit/gen/ir"

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
	return ks
}
