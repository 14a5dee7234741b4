function(ctx, result)
  return { value = result.value:match("^[^\n]*") }
end
