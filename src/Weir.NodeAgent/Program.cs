using Weir.NodeAgent;
using Weir.NodeAgent.Configuration;

if (args.Contains("--help"))
{
    Usage.Write(Console.Out);
    return 0;
}

var settings = NodeSettings.Read(args, Environment.GetEnvironmentVariable);
if (NodeOptions.From(settings) is not { } options)
{
    Usage.WriteErrors(settings.Errors, Console.Error);
    return 2;
}

return await Usage.RunAsync(() => NodeApp.RunAsync(options, TimeProvider.System), Console.Error);
