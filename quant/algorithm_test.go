package quant_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// between is a calculator of a user's own with arguments of all kinds.
type between struct {
	Constant float64         `json:"constant"`
	Seed     uint64          `json:"seed"`
	Exact    bool            `json:"exact"`
	Inner    quant.Algorithm `json:"inner"`
}

func (b *between) Next(_, seen quant.Range, _ func(float32) float32) quant.Range { return seen }

// lastBetween is what the constructor made last.
var lastBetween *between

func init() {
	quant.RegisterCalculator("between", func(r quant.Request) (quant.Calculator, error) {
		lastBetween = &between{Constant: 0.5}
		return lastBetween, r.Arguments(lastBetween)
	})
	quant.RegisterCalculator("nil", func(quant.Request) (quant.Calculator, error) { return nil, nil })
	quant.RegisterRangeCalculator("nil", func(quant.Request) (quant.RangeCalculator, error) { return nil, nil })
	quant.RegisterQuantizeStep("nil", func(quant.Request) (quant.QuantizeStep, error) { return nil, nil })
	quant.RegisterQuantizeStep("refuses", func(quant.Request) (quant.QuantizeStep, error) { return ownFormula{}, errNotToday })
}

var errNotToday = errors.New("not today")

// Arguments reach the constructor, whatever their order, and go back to JSON as they are.
func TestAlgorithmArguments(t *testing.T) {
	for text, want := range map[string]string{
		`"between"`:          `"between"`,
		`{"name":"between"}`: `"between"`,
		`{"seed":18446744073709551615,"name":"between","constant":1e-3}`:                    `{"name":"between","constant":1e-3,"seed":18446744073709551615}`,
		`{"name":"between","inner":{"name":"percentile","num":9999,"den":10000}}`:           `{"name":"between","inner":{"name":"percentile","num":9999,"den":10000}}`,
		`{ "name" : "between", "exact" : true, "inner" : "minmax", "constant" : 0.010000 }`: `{"name":"between","constant":0.010000,"exact":true,"inner":"minmax"}`,
	} {
		s, err := quant.ParseSpec([]byte(`{"qparam_calculator_cls":` + text + `}`))
		require.NoError(t, err, text)
		assert.Equal(t, want, s.Calculator.String())
		again, err := quant.ParseSpec([]byte(s.String()))
		require.NoError(t, err, text)
		assert.Equal(t, s.Calculator, again.Calculator)
		var a quant.Algorithm
		require.NoError(t, json.Unmarshal([]byte(text), &a))
		assert.Equal(t, s.Calculator, a)
	}
	_, err := quant.ParseSpec([]byte(`{"qparam_calculator_cls":{"name":"between","seed":18446744073709551615,"inner":{"name":"a","b":1}}}`))
	require.NoError(t, err)
	assert.Equal(t, between{0.5, 1<<64 - 1, false, quant.Algorithm{Name: "a", Arguments: `{"b":1}`}}, *lastBetween)

	// moving_average by its argument is MovingAverage, and by the default one itself.
	run := func(a quant.Algorithm) quant.State {
		q, err := quant.New[float32](quant.Spec{Calculator: a}, quant.Activation)
		require.NoError(t, err)
		for _, x := range []float32{1, 3, -2} {
			require.NoError(t, q.Observe(tensor([]float32{x}, 1)))
		}
		return q.State()
	}
	quant.RegisterCalculator("quick", func(quant.Request) (quant.Calculator, error) { return quant.MovingAverage(0.25), nil })
	named := func(name, arguments string) quant.Algorithm { return quant.Algorithm{Name: name, Arguments: arguments} }
	assert.Equal(t, run(named("quick", "")), run(named("moving_average", `{"constant":0.25}`)))
	assert.Equal(t, run(named("moving_average", "")), run(named("moving_average", `{"constant":0.01}`)))
	assert.NotEqual(t, run(named("moving_average", "")), run(named("moving_average", `{"constant":0.25}`)))
}

// An algorithm that cannot be made makes the spec invalid, and the error names the argument.
func TestAlgorithmErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"qparam_calculator_cls":{"constant":0.5}}`:                                    `qparam_calculator_cls.name is not given, want a name in quotes`,
		`{"qparam_calculator_cls":{"name":3}}`:                                          `qparam_calculator_cls.name is 3, want a name in quotes`,
		`{"qparam_calculator_cls":{"name":"static","constant":0.5}}`:                    `qparam_calculator_cls.constant is not an argument of "static", want no arguments`,
		`{"qparam_calculator_cls":{"name":"default","constant":0.5}}`:                   `qparam_calculator_cls.constant is not an argument of "default", want no arguments`,
		`{"qparam_calculator_cls":{"name":"moving_average","Constant":0.5}}`:            `qparam_calculator_cls.Constant is not an argument of "moving_average", want constant`,
		`{"qparam_calculator_cls":{"name":"moving_average","constant":"0.5"}}`:          `qparam_calculator_cls.constant is "0.5", want of type float64`,
		`{"qparam_calculator_cls":{"name":"moving_average","constant":null}}`:           `qparam_calculator_cls.constant is null, want of type float64`,
		`{"qparam_calculator_cls":{"name":"moving_average","constant":0}}`:              `qparam_calculator_cls.constant is 0, want more than 0 and at most 1`,
		`{"qparam_calculator_cls":{"name":"moving_average","constant":1,"constant":1}}`: `qparam_calculator_cls.constant is given twice, want each field once`,
		`{"qparam_calculator_cls":{"name":"between","seed":-1}}`:                        `qparam_calculator_cls.seed is -1, want of type uint64`,
		`{"qparam_calculator_cls":"nil"}`:                                               `qparam_calculator_cls is "nil", want one whose constructor returns no nil`,
		`{"range_calculator_cls":"nil"}`:                                                `range_calculator_cls is "nil", want one whose constructor returns no nil`,
		`{"fake_quantize_cls":"nil"}`:                                                   `fake_quantize_cls is "nil", want one whose constructor returns no nil`,
	} {
		_, err := quant.ParseSpec([]byte(text))
		require.ErrorIs(t, err, quant.ErrSpec, text)
		assert.EqualError(t, err, "quant: invalid spec: "+want)
	}
	_, err := quant.New[float32](quant.Spec{FakeQuantize: quant.Algorithm{Name: "refuses"}}, quant.Weight)
	require.ErrorIs(t, err, errNotToday)
	_, err = quant.New[float32](quant.Spec{Calculator: quant.Algorithm{Name: "static", Arguments: "{"}}, quant.Weight)
	require.ErrorIs(t, err, quant.ErrSpec)
	_, err = json.Marshal(quant.Spec{Calculator: quant.Algorithm{Name: "static", Arguments: "[1]"}})
	require.ErrorIs(t, err, quant.ErrSpec)
}
