package docs

import (
	"fmt"
	"math"

	"github.com/lowbit-go/lowbit/quant"
)

func weights(rows, cols int) quant.Tensor[float32] {
	w := quant.Tensor[float32]{Data: make([]float32, rows*cols), Shape: []int{rows, cols}}
	for i := range w.Data {
		w.Data[i] = float32(math.Sin(float64(i*i))) / 10
	}
	return w
}

func Example_formats() {
	w := weights(8, 64)
	err := func() error {
		for _, name := range []string{"int8", "int4-g32", "int4-g32-mse"} {
			spec, err := quant.Preset(name)
			if err != nil {
				return err
			}
			q, err := quant.New[float32](spec, quant.Weight)
			if err != nil {
				return err
			}
			var y quant.Tensor[float32]
			if err := q.FakeQuantize(&y, w, nil); err != nil {
				return err
			}
			var signal, noise float64
			for i, x := range w.Data {
				signal += float64(x) * float64(x)
				noise += math.Pow(float64(x-y.Data[i]), 2)
			}
			fmt.Printf("%s: %.1f dB\n", name, 10*math.Log10(signal/noise))
		}
		return nil
	}()
	fmt.Println(err)
	// Output:
	// int8: 50.1 dB
	// int4-g32: 24.8 dB
	// int4-g32-mse: 24.8 dB
	// <nil>
}

func Example_performance() {
	batches := []quant.Tensor[float32]{weights(4, 32), weights(4, 32)}
	q, err := quant.New[float32](quant.Spec{Calculator: quant.Algorithm{Name: "dynamic"}}, quant.Activation)
	if err != nil {
		panic(err)
	}
	total := 0
	err = func() error {
		q.Workers = 1
		var codes quant.Codes
		for _, x := range batches {
			if err := q.Quantize(&codes, x); err != nil {
				return err
			}
			total += len(codes.Data)
		}
		return nil
	}()
	fmt.Println(total, err)
	// Output:
	// 256 <nil>
}
