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
		what := map[string]string{"": "e*e", "Weighted": "w*(e*e)", "Powers": "w*((e*e)*sqrt(|e|))"}[term] + ` with e = y - x and
`
		begin := func(family, doc string, y func(k *ir.Kernel, x, s *ir.Node) *ir.Node) (k *ir.Kernel, sum *ir.Node) {
			k = ir.New("errors", family, doc, Terms.Of(term))
			k.Sums = true
			x := k.Param("x", ir.MemF32)
			e := y(k, x, k.Load("scale", ir.MemF32)).Sub(x)
			t := e.Mul(e)
			if term == "Powers" {
				t = t.Mul(e.Magnitude().Sqrt())
			}
			if term != "" {
				t = t.Mul(k.Param("w", ir.MemF32))
			}
			ks = append(ks, k)
			return k, t.Sum()
		}
		add := func(family, doc string, y func(k *ir.Kernel, x, s *ir.Node) *ir.Node) {
			k, sum := begin(family, `sums, for each lane's parameters, `+what+doc+`, in kernels.ErrorInt's order.
A sum is NaN too where a quotient overflows, or Prepare's reciprocal is NaN.`, y)
			k.Store("sums", ir.MemF32, sum)
		}
		least := func(family, doc string, y func(k *ir.Kernel, x, s *ir.Node) *ir.Node) {
			k, sum := begin(family, `finds, for each lane, the first candidate with the least sum of `+what+doc+`, in kernels.ErrorInt's
order, that is less than what best has. The rows of best are the least sum, its candidate, the number of the next one, and a NaN after a sum that
is NaN: where a quotient overflows, or Prepare's reciprocal is NaN, it is too.`, y)
			k.Columns = true
			before, number := k.Row("best", 0), k.Row("best", 2)
			m := sum.Min(before)
			k.StoreRow("best", 0, m)
			k.StoreRow("best", 1, m.Eq(before).Select(k.Row("best", 1), number))
			k.StoreRow("best", 2, number.As(ir.I32).IAdd(k.Int(1)).As(ir.F32))
			k.StoreRow("best", 3, k.Row("best", 3).Add(sum))
		}
		divided := func(k *ir.Kernel, x, s *ir.Node) *ir.Node { return quotient(x, s, reciprocal(k, s)) }
		clip := func(v, lo, hi *ir.Node) *ir.Node { return v.Max(lo.ToFloat()).Min(hi.ToFloat()) }
		integers := func(k *ir.Kernel, x, s *ir.Node) *ir.Node {
			least, most, z := k.Word("least", ir.MemI32), k.Word("most", ir.MemI32), k.Load("zeroPoint", ir.MemI32)
			return clip(divided(k, x, s).Round(), least.ISub(z), most.ISub(z)).Mul(s)
		}
		float := func(quotient func(k *ir.Kernel, x, s *ir.Node) *ir.Node) func(k *ir.Kernel, x, s *ir.Node) *ir.Node {
			return func(k *ir.Kernel, x, s *ir.Node) *ir.Node {
				least, step, most := k.Word("least", ir.MemI32), k.Word("step", ir.MemI32), k.Word("most", ir.MemF32)
				return onGrid(k, quotient(k, x, s).Max(k.Const(0).Sub(most)).Min(most), least, step).Mul(s)
			}
		}
		const ints, floats = `y = clip(round(x/scale))*scale, clipping to least..most less zeroPoint`,
			`y = grid(min(max(x/scale, -most), most))*scale, with the grid that least and step describe to FakeQuantizeFp`
		add("ErrorInt", ints, integers)
		add("ErrorMinval", `y = clip(round((x-minval)/scale))*scale + minval, clipping to least..most`, func(k *ir.Kernel, x, s *ir.Node) *ir.Node {
			minval := k.Load("minval", ir.MemF32)
			v := divided(k, x.Sub(minval), s).Round()
			return clip(v, k.Word("least", ir.MemI32), k.Word("most", ir.MemI32)).Mul(s).Add(minval)
		})
		add("ErrorFp", floats, float(divided))
		least("LeastInt", ints, integers)
		if term != "Powers" {
			least("LeastFp", floats, float(divided))
		}
		least("LeastFpProduct", `y = grid(min(max(x*factor, -most), most))*scale, with ErrorFp's grid`, float(func(k *ir.Kernel, x, _ *ir.Node) *ir.Node {
			return x.Mul(k.Load("factor", ir.MemF32))
		}))
	}
	return ks
}
