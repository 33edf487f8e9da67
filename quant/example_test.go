package quant_test

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// Calibrate an activation over some batches, then quantize what comes with the parameters found.
func Example_activation() {
	spec := quant.DefaultActivationSpec()
	spec.Scheme = quant.Asymmetric
	q, err := quant.New[float32](spec, quant.Activation)
	if err != nil {
		panic(err)
	}
	for _, batch := range [][]float32{{0, 1, 2, 5.1}, {0.5, 3, 4, 5.1}} {
		if err := q.Observe(quant.Tensor[float32]{Data: batch, Shape: []int{2, 2}}); err != nil {
			panic(err)
		}
	}
	if err := q.EnableObserver(false); err != nil {
		panic(err)
	}
	var codes quant.Codes
	if err := q.Quantize(&codes, quant.Tensor[float32]{Data: []float32{0, 0.02, 1, 9}, Shape: []int{2, 2}}); err != nil {
		panic(err)
	}
	signed, err := codes.Int8()
	if err != nil {
		panic(err)
	}
	fmt.Printf("scale %.4f, zero point %d, codes %v\n", codes.Params.Scale[0], codes.Params.ZeroPoint[0], signed)
	// Output: scale 0.0200, zero point -128, codes [-128 -127 -78 127]
}

// One step of quantization-aware training: the weight is used as its codes will have it, and the gradient goes straight through, except
// where the weight was clipped.
func Example_training() {
	spec := quant.Spec{DType: quant.Int4, FloatRange: quant.FixedRange(-0.75, 0.75)}
	q, err := quant.New[float32](spec, quant.Weight)
	if err != nil {
		panic(err)
	}
	w := quant.Tensor[float32]{Data: []float32{0.32, -0.13, 0.9, -1.5}, Shape: []int{2, 2}}
	var y quant.Tensor[float32]
	mask := quant.Mask{Kind: quant.BitMask}
	if err := q.FakeQuantize(&y, w, &mask); err != nil {
		panic(err)
	}
	grad := quant.Tensor[float32]{Data: []float32{1, 2, 3, 4}, Shape: []int{2, 2}} // of the loss by y
	if err := q.Backward(&grad, grad, mask); err != nil {
		panic(err)
	}
	for i := range w.Data {
		w.Data[i] -= 0.1 * grad.Data[i]
	}
	fmt.Printf("%.1f\n%.0f\n%.2f\n", y.Data, grad.Data, w.Data)
	// Output:
	// [0.3 -0.1 0.7 -0.8]
	// [1 2 0 0]
	// [0.22 -0.33 0.90 -1.50]
}

// A weight matrix in int4, each block of four with a scale of its own, two codes to a byte.
func Example_int4() {
	spec := quant.Spec{DType: quant.Int4, Granularity: quant.PerBlock(1, 4)}
	q, err := quant.New[float32](spec, quant.Weight)
	if err != nil {
		panic(err)
	}
	w := quant.Tensor[float32]{Data: []float32{
		0.1, -0.7, 0.75, 0, 7.5, 3, -1, 2,
		-15, 8, 4, -2, 1.5, 1.5, -1.5, 0,
	}, Shape: []int{2, 8}}
	codes := quant.Codes{Packed: true}
	if err := q.Quantize(&codes, w); err != nil {
		panic(err)
	}
	fmt.Printf("%d bytes: % x\nscales %v shaped %v\n", len(codes.Data), codes.Data, codes.Params.Scale, codes.Params.Shape)
	unpacked, err := codes.Unpack()
	if err != nil {
		panic(err)
	}
	var back quant.Tensor[float32]
	if err := quant.Dequantize(&back, codes, 1); err != nil {
		panic(err)
	}
	signed, err := unpacked.Int8()
	if err != nil {
		panic(err)
	}
	fmt.Printf("%v\n%.1f\n", signed[8:], back.Data[8:])
	// Output:
	// 8 bytes: 91 07 37 2f 48 f2 77 08
	// scales [0.1 1 2 0.2] shaped [2 2]
	// [-8 4 2 -1 7 7 -8 0]
	// [-16.0 8.0 4.0 -2.0 1.4 1.4 -1.6 0.0]
}

// An engine keeps a matrix as it is stored and dequantizes the rows that it needs, into memory that it has.
func ExampleCodes_IntParams() {
	q, err := quant.New[float32](quant.Spec{DType: quant.Int4, Granularity: quant.PerBlock(1, 4)}, quant.Weight)
	if err != nil {
		panic(err)
	}
	w := quant.Tensor[float32]{Data: []float32{0.1, -0.7, 0.75, 0, 7.5, 3, -1, 2, -15, 8, 4, -2, 1.5, 1.5, -1.5, 0}, Shape: []int{2, 8}}
	codes := quant.Codes{Packed: true}
	if err := q.Quantize(&codes, w); err != nil {
		panic(err)
	}
	row, groups, columns := 1, codes.Params.Shape[1], codes.Shape[1]
	p, err := codes.IntParams(row*groups, groups)
	if err != nil {
		panic(err)
	}
	bytes := p.Format.Bytes(columns) // of a row, which begins at a byte
	y := make([]float32, columns)
	kernels.DequantizeInt(y, codes.Data[row*bytes:][:bytes], kernels.Grid{Rows: 1, Groups: groups, Len: columns / groups}, &p)
	fmt.Printf("%.1f\n", y)
	// Output: [-16.0 8.0 4.0 -2.0 1.4 1.4 -1.6 0.0]
}

// A vector database keeps int8 codes and one scale for each vector: quantized on insert, dequantized to score the best candidates again.
func Example_vectors() {
	spec := quant.Spec{Granularity: quant.PerChannel(0), Calculator: quant.Algorithm{Name: "dynamic"}} // axis 0 is the vectors
	q, err := quant.New[float32](spec, quant.Activation)
	if err != nil {
		panic(err)
	}
	insert := quant.Tensor[float32]{Data: []float32{
		0.6, 0.8, 0,
		-3, 0, 4,
	}, Shape: []int{2, 3}}
	var codes quant.Codes
	if err := q.Quantize(&codes, insert); err != nil {
		panic(err)
	}

	// A first score from the codes alone, then the exact one.
	query := []int8{0, 0, 127}
	vectors, err := codes.Int8()
	if err != nil {
		panic(err)
	}
	for v := range 2 {
		var dot int32
		for i, c := range vectors[v*3:][:3] {
			dot += int32(c) * int32(query[i])
		}
		fmt.Printf("vector %d: codes %v, score %.1f\n", v, vectors[v*3:][:3], float32(dot)*codes.Params.Scale[v]/127)
	}
	var exact quant.Tensor[float32]
	if err := quant.Dequantize(&exact, codes, 1); err != nil {
		panic(err)
	}
	fmt.Printf("vector 1: %.2f\n", exact.Data[3:])
	// Output:
	// vector 0: codes [96 127 0], score 0.0
	// vector 1: codes [-96 0 127], score 4.0
	// vector 1: [-3.01 0.00 3.98]
}

// sigmas is a range of some standard deviations around the mean: outliers are clipped.
type sigmas struct {
	N float64 `json:"n"`
}

func (s sigmas) Range(group iter.Seq[[]float32]) quant.Range {
	var n, sum, squares float64
	for piece := range group {
		for _, x := range piece {
			n++
			sum += float64(x)
			squares += float64(x) * float64(x)
		}
	}
	mean := sum / n
	spread := s.N * math.Sqrt(max(0, squares/n-mean*mean))
	return quant.Range{Min: float32(mean - spread), Max: float32(mean + spread)}
}

// A range calculator of one's own with an argument, used by name, from JSON too.
func ExampleRegisterRangeCalculator() {
	quant.RegisterRangeCalculator("sigmas", func(r quant.Request) (quant.RangeCalculator, error) {
		s := sigmas{N: 3} // unless it is given
		err := r.Arguments(&s)
		if err == nil && !(s.N > 0) {
			err = r.Error("n", s.N, "more than 0")
		}
		return s, err
	})

	x := quant.Tensor[float32]{Data: make([]float32, 1000), Shape: []int{1000}}
	for i := range x.Data {
		x.Data[i] = float32(i%3 - 1)
	}
	x.Data[0] = 100
	for _, ranges := range []string{`"minmax"`, `"sigmas"`, `{"name":"sigmas","n":6}`} {
		spec, err := quant.ParseSpec([]byte(`{"dtype":"int4","range_calculator_cls":` + ranges + `}`))
		if err != nil {
			panic(err)
		}
		q, err := quant.New[float32](spec, quant.Weight)
		if err != nil {
			panic(err)
		}
		var y quant.Tensor[float32]
		if err := q.FakeQuantize(&y, x, nil); err != nil {
			panic(err)
		}
		fmt.Printf("%s: %.2f\n", ranges, y.Data[:4])
	}
	// Output:
	// "minmax": [93.33 0.00 0.00 0.00]
	// "sigmas": [9.23 0.00 1.32 -1.32]
	// {"name":"sigmas","n":6}: [18.37 0.00 0.00 0.00]
}

// dithered rounds up as often as the fraction says, so that the mean of many codes is the value itself.
type dithered struct{ *rand.Rand }

func (s dithered) Quantize(codes []float32, mask []byte, x []float32, g quant.Group) {
	for i, x := range x {
		q := float32(math.Floor(float64((x-g.FloatOffset)/g.Scale)+s.Float64())) + g.QuantOffset
		codes[i], mask[i] = min(max(q, g.QuantMin), g.QuantMax), 0
		if q >= g.QuantMin && q <= g.QuantMax {
			mask[i] = 1
		}
	}
}

// Stochastic rounding in the place of rounding half to even.
func ExampleRegisterQuantizeStep() {
	quant.RegisterQuantizeStep("dithered", func(quant.Request) (quant.QuantizeStep, error) { return dithered{rand.New(rand.NewPCG(1, 2))}, nil })

	spec, err := quant.ParseSpec([]byte(`{"fake_quantize_cls":"dithered","float_range":[-127.5,127.5]}`))
	if err != nil {
		panic(err)
	}
	q, err := quant.New[float32](spec, quant.Weight)
	if err != nil {
		panic(err)
	}
	x := quant.Tensor[float32]{Data: make([]float32, 10000), Shape: []int{10000}}
	for i := range x.Data {
		x.Data[i] = 0.3
	}
	if err := q.FakeQuantize(&x, x, nil); err != nil {
		panic(err)
	}
	var sum float32
	for _, y := range x.Data {
		sum += y
	}
	fmt.Printf("%.1f\n", sum/float32(len(x.Data)))
	// Output: 0.3
}

// A quicker moving average than the reference's.
func ExampleAlgorithm() {
	spec := quant.Spec{Calculator: quant.Algorithm{Name: "moving_average", Arguments: `{"constant":0.5}`}}
	fmt.Println(spec.Calculator)

	q, err := quant.New[float32](spec, quant.Activation)
	if err != nil {
		panic(err)
	}
	for _, x := range []float32{127.5, 255, 255} {
		if err := q.Observe(quant.Tensor[float32]{Data: []float32{x}, Shape: []int{1}}); err != nil {
			panic(err)
		}
		p, err := q.Params()
		if err != nil {
			panic(err)
		}
		fmt.Println(p.Scale)
	}
	// Output:
	// {"name":"moving_average","constant":0.5}
	// [1]
	// [1.5]
	// [1.75]
}
