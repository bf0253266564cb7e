using Weir.Configuration;
using Weir.Keys;
using Weir.Postgres;
using Weir.Telemetry;

namespace Weir.Server;

/// <summary>The one composition of the web host; <c>serve</c>, <c>up</c>, the tests and the benchmark share it.</summary>
internal static class WeirHost
{
    public static WebApplication Build(WeirConfig config, Databases databases, Keyring keyring)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ToStandardError();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseUrls(config.Http.Listen.ToString());
        builder.Services.AddSingleton(config).AddSingleton(databases).AddSingleton(keyring).AddSingleton(TimeProvider.System);
        var app = builder.Build();
        app.MapGet("/healthz", () => Results.Text("ok"));
        return app;
    }
}
