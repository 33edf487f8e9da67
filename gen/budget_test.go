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
	"backward":           {4100, 100},
	"convert":            {8700, 220},
	"copy":               {1300, 30},
	"dequantize":         {20600, 450},
	"dequantizeBF16":     {21900, 500},
	"dequantizeF16":      {19400, 430},
	"dequantizefp":       {7100, 160},
	"dequantizefpBF16":   {7600, 180},
	"dequantizefpF16":    {6800, 160},
	"fakequantize":       {29400, 710},
	"fakequantizeBF16":   {38200, 960},
	"fakequantizeF16":    {35000, 850},
	"fakequantizefp":     {10400, 260},
	"fakequantizefpBF16": {14700, 380},
	"fakequantizefpF16":  {13300, 330},
	"lookup":             {200, 10},
	"minmax":             {35100, 780},
	"pack":               {1000, 30},
	"params":             {6900, 200},
	"prepare":            {300, 10},
	"productBF16":        {5700, 150},
	"productF16":         {5300, 130},
	"quantize":           {34700, 800},
	"quantizeBF16":       {40900, 950},
	"quantizeF16":        {40300, 920},
	"quantizefp":         {17000, 400},
	"quantizefpBF16":     {19500, 460},
	"quantizefpF16":      {19200, 450},
	"stage":              {1700, 40},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{456000, 10700}

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
