using Weir.Server.Commands;

return await CommandLine.RunAsync(args);
