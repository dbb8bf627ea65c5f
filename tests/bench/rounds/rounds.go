// Package rounds says what rounds come to in which several things took turns.
package rounds

import "slices"

// Ratio is the middle one of those of each round: what slows a machine down for some
// seconds slows both down. of and to have as many rounds, and at least one.
func Ratio(of, to []float64) float64 {
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = of[i] / to[i]
	}
	return Median(ratios)
}

// Median is the middle value, the higher one of two. There is at least one.
func Median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
