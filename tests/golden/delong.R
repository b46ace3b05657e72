# Golden values for src/metrics/areaTests.ts: DeLong's variance and test by pROC on the scores of metrics.json -> delong.json.
#
# Run after metrics.py: Rscript tests/golden/delong.R   (Debian: r-cran-proc, r-cran-jsonlite)

suppressMessages(library(pROC))
library(jsonlite)

arguments <- commandArgs(trailingOnly = FALSE)
script <- sub("^--file=", "", arguments[startsWith(arguments, "--file=")])
folder <- dirname(script)
cases <- fromJSON(file.path(folder, "metrics.json"), simplifyDataFrame = FALSE)$twoScores

values <- lapply(cases, function(case) {
  curve <- function(scores) roc(case$labels, scores, levels = c(0, 1), direction = "<", quiet = TRUE)
  first <- curve(case$first)
  second <- curve(case$second)
  test <- roc.test(first, second, method = "delong", paired = TRUE)
  list(
    areas = c(as.numeric(auc(first)), as.numeric(auc(second))),
    variances = c(var(first, method = "delong"), var(second, method = "delong")),
    covariance = cov(first, second, method = "delong"),
    interval = as.numeric(ci.auc(first, method = "delong"))[c(1, 3)],
    difference = as.numeric(test$conf.int),
    z = as.numeric(test$statistic),
    p = test$p.value
  )
})
made <- paste("R", getRversion(), "pROC", packageVersion("pROC"))
writeLines(toJSON(list(made = made, cases = values), digits = NA, auto_unbox = TRUE), file.path(folder, "delong.json"))
