package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// budget is how many lines of assembly, and how many thousand bytes of text, there may be at most.
type budget struct{ lines, kilobytes int }

// budgets are those of the kernels of a file, for all implementations together. Whoever needs more raises
// one and says in the commit what it buys; whoever needs less lowers it.
var budgets = map[string]budget{
	"backward":              {3890, 91},
	"blocks":                {7530, 225},
	"convert":               {8430, 208},
	"copy":                  {1200, 21},
	"dequantize":            {9930, 222},
	"dequantizeF16BF16":     {7550, 166},
	"dequantizefp":          {5810, 129},
	"dequantizefpF16BF16":   {7540, 168},
	"dispatch":              {120, 4},
	"errors":                {6230, 162},
	"fakequantize":          {10300, 249},
	"fakequantizeF16BF16":   {10020, 234},
	"fakequantizefp":        {3720, 89},
	"fakequantizefpF16BF16": {5410, 130},
	"learn":                 {450, 10},
	"lookup":                {190, 5},
	"minmax":                {18040, 412},
	"pack":                  {1250, 30},
	"params":                {7100, 169},
	"prepare":               {280, 6},
	"productBF16":           {1950, 49},
	"productF16BF16":        {1030, 26},
	"productF16":            {1800, 42},
	"quantize":              {11990, 271},
	"quantizeBF16":          {2640, 61},
	"quantizeF16":           {2560, 57},
	"quantizeF16BF16":       {9170, 203},
	"quantizefp":            {11770, 282},
	"quantizefpF16BF16":     {8210, 189},
	"quotient":              {4070, 90},
	"search":                {4550, 116},
	"shorts":                {3770, 84},
	"sixes":                 {470, 15},
	"stage":                 {2050, 36},
	"stochastic":            {2540, 68},
	"transpose":             {500, 10},
	"writeblocks":           {6180, 192},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{190080, 4521}

func TestBudget(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(asmDir, "*.s"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	sums, all := map[string]budget{}, budget{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		family, _, _ := strings.Cut(filepath.Base(name), "_")
		sum := sums[family]
		sum.lines += bytes.Count(text, []byte("\n"))
		sum.kilobytes += len(text) / 1000
		sums[family] = sum
	}
	check := func(what string, has, may budget) {
		if has.lines > may.lines || has.kilobytes > may.kilobytes {
			t.Errorf("%s has %d lines and %d kB, and may have %d and %d", what, has.lines, has.kilobytes, may.lines, may.kilobytes)
		}
	}
	for family, sum := range sums {
		all.lines += sum.lines
		all.kilobytes += sum.kilobytes
		check(family, sum, budgets[family])
	}
	check("internal/asm", all, budgetOfAll)
	for family := range budgets {
		if _, ok := sums[family]; !ok {
			t.Errorf("%s has a budget and no files", family)
		}
	}
}
