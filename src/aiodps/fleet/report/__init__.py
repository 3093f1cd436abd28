"""Results of a run: summary, comparison, HTML report (`html`, which needs the extra `[fleet]`)."""
