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
	"blocks":                {7530, 229},
	"convert":               {8470, 210},
	"copy":                  {1210, 23},
	"dequantize":            {10230, 229},
	"dequantizeF16BF16":     {7730, 171},
	"dequantizefp":          {5890, 131},
	"dequantizefpF16BF16":   {7610, 170},
	"dispatch":              {150, 7},
	"errors":                {6230, 164},
	"fakequantize":          {10490, 253},
	"fakequantizeF16BF16":   {10230, 239},
	"fakequantizefp":        {3790, 93},
	"fakequantizefpF16BF16": {5510, 132},
	"learn":                 {450, 10},
	"lookup":                {200, 7},
	"minmax":                {18040, 413},
	"pack":                  {1250, 31},
	"params":                {7110, 171},
	"prepare":               {290, 8},
	"productBF16":           {2000, 49},
	"productF16BF16":        {1050, 26},
	"productF16":            {1850, 43},
	"quantize":              {12250, 276},
	"quantizeBF16":          {2650, 63},
	"quantizeF16":           {2570, 59},
	"quantizeF16BF16":       {9440, 208},
	"quantizefp":            {11950, 286},
	"quantizefpF16BF16":     {8430, 194},
	"quotient":              {4070, 91},
	"search":                {4550, 118},
	"shorts":                {3760, 86},
	"sixes":                 {470, 16},
	"stage":                 {1920, 36},
	"stochastic":            {2540, 70},
	"transpose":             {500, 11},
	"writeblocks":           {6180, 197},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{192180, 4548}

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
