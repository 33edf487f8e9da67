package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// Terms are the variants of what an error sums.
var Terms = &ir.Kind{Type: "Term", Doc: "Term is what an error sums: e*e, w*(e*e), or w*((e*e)*sqrt(|e|)).",
	Choices: []string{"Squares", "WeightedSquares", "WeightedPowers"}, Names: []string{"", "Weighted", "Powers"}}

// errors are what fake-quantizing a group costs with each of several parameters. There is no rare way: a quotient that three operations do not give
// is NaN, as it is for NaN, and so is the sum.
func errors() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, term := range Terms.Names {
		add := func(family, doc string, y func(k *ir.Kernel, x, s *ir.Node) *ir.Node) {
			k := ir.New("errors", family, `sums, for each lane's parameters, `+map[string]string{"": "e*e", "Weighted": "w*(e*e)", "Powers": "w*((e*e)*sqrt(|e|))"}[term]+
				` with e = y - x and
`+doc+`, in kernels.ErrorInt's order.
A sum is NaN too where a quotient overflows, or Prepare's reciprocal is NaN.`, Terms.Of(term))
			k.Sums = true
			x := k.Param("x", ir.MemF32)
			s := k.Load("scale", ir.MemF32)
			e := y(k, x, s).Sub(x)
			t := e.Mul(e)
			if term == "Powers" {
				t = t.Mul(e.Magnitude().Sqrt())
			}
			if term != "" {
				t = t.Mul(k.Param("w", ir.MemF32))
			}
			k.Store("sums", ir.MemF32, t)
			ks = append(ks, k)
		}
		divided := func(k *ir.Kernel, x, s *ir.Node) *ir.Node { return quotient(x, s, reciprocal(k, s)) }
		clip := func(v, lo, hi *ir.Node) *ir.Node { return v.Max(lo.ToFloat()).Min(hi.ToFloat()) }
		add("ErrorInt", `y = clip(round(x/scale))*scale, clipping to least..most less zeroPoint`, func(k *ir.Kernel, x, s *ir.Node) *ir.Node {
			least, most, z := k.Word("least", ir.MemI32), k.Word("most", ir.MemI32), k.Load("zeroPoint", ir.MemI32)
			return clip(divided(k, x, s).Round(), least.ISub(z), most.ISub(z)).Mul(s)
		})
		add("ErrorMinval", `y = clip(round((x-minval)/scale))*scale + minval, clipping to least..most`, func(k *ir.Kernel, x, s *ir.Node) *ir.Node {
			minval := k.Load("minval", ir.MemF32)
			v := divided(k, x.Sub(minval), s).Round()
			return clip(v, k.Word("least", ir.MemI32), k.Word("most", ir.MemI32)).Mul(s).Add(minval)
		})
		add("ErrorFp", `y = grid(min(max(x/scale, -most), most))*scale, with the grid that least and step describe to FakeQuantizeFp`, func(k *ir.Kernel, x, s *ir.Node) *ir.Node {
			least, step, most := k.Word("least", ir.MemI32), k.Word("step", ir.MemI32), k.Word("most", ir.MemF32)
			return onGrid(k, divided(k, x, s).Max(k.Const(0).Sub(most)).Min(most), least, step).Mul(s)
		})
		add("ErrorFpProduct", `y = grid(min(max(x*factor, -most), most))*scale, with ErrorFp's grid`, func(k *ir.Kernel, x, s *ir.Node) *ir.Node {
			least, step, most := k.Word("least", ir.MemI32), k.Word("step", ir.MemI32), k.Word("most", ir.MemF32)
			return onGrid(k, x.Mul(k.Load("factor", ir.MemF32)).Max(k.Const(0).Sub(most)).Min(most), least, step).Mul(s)
		})
	}
	return ks
}
