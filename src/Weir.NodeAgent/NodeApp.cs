using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Weir.NodeAgent.Bridge;
using Weir.NodeAgent.Configuration;
using Weir.NodeAgent.Http;
using Weir.NodeAgent.Linux;
using Weir.NodeAgent.Packages;
using Weir.NodeAgent.Processes;
using Weir.NodeAgent.Servers;
using Weir.NodeAgent.State;
using Weir.NodeAgent.Uplink;
using Weir.Nodes;

namespace Weir.NodeAgent;

/// <summary>Puts the node together and runs it.</summary>
internal sealed class NodeApp
{
    private static readonly TimeSpan RegistrationTimeout = TimeSpan.FromSeconds(15);

    private readonly NodeOptions _options;
    private readonly TimeProvider _time;
    private readonly WebApplication _app;
    private readonly ApiKey _key;
    private readonly Launcher _launcher;
    private readonly ServerRegistry _servers;
    private readonly Reaper _reaper;
    private readonly TempLinks _tempLinks;
    private readonly string? _problem;
    private readonly long _started;

    private NodeApp(NodeOptions options, TimeProvider time, string? problem, UidRange? uids)
    {
        (_options, _time, _problem, _started) = (options, time, problem, time.GetTimestamp());
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Clear(); // Settings come from one place: NodeSettings.
        builder.Logging.ClearProviders().AddJsonConsole().AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
            o => o.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The endpoints' own limits answer first; this is what is discarded at most of what a client goes on sending.
            kestrel.Limits.MaxRequestBodySize = BridgeOptions.MessageLimit * 2L;
            // What Kestrel reads ahead, before the key has been looked at too.
            kestrel.Limits.MaxRequestBufferSize = 64 * 1024;
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(10));
            // A stream may be silent between two keep-alive comments, and its reader slow.
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(options.Listen, listen =>
            {
                if (options.TlsCertificate is { } certificate)
                {
                    listen.UseHttps(X509Certificate2.CreateFromPemFile(certificate, options.TlsKey));
                }
            });
        });
        if (options.TlsCertificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        _app = builder.Build();
        var log = _app.Logger;

        _key = ApiKey.Load(options.ApiKeyFile, options.DataDirectory);
        var groups = new ProcessGroups(options.DataDirectory, time);
        EndLeftovers(groups, uids, log);
        _reaper = new Reaper(options.DataDirectory, groups, uids, log);
        _launcher = new Launcher(groups, options.Limits, time);
        _tempLinks = TempLinks.Make(uids?.First, TempLinks.HostDirectory, TempLinks.NewName);
        var context = new ServerContext(
            options.DataDirectory,
            new InstanceDirectories(options.DataDirectory, time),
            _tempLinks,
            problem,
            options.NodeProgram,
            new PackageStore(options.DataDirectory, options.NpmProgram, options.InstallTimeout, time),
            _launcher,
            uids,
            options.Bridge,
            new OrganizationBudgets(options.Bridge.OrganizationBytes, options.Bridge.TogetherBytes),
            options.Supervision,
            Backoff.Chance,
            time,
            log);
        _servers = new ServerRegistry(new StateStore(options.DataDirectory, log), context);
        _app.Use((http, next) => ApiErrors.GuardAsync(http, next, log));
        _app.UseMiddleware<Gatekeeper>(_key, options);
        _app.MapServers(_servers, Status, time);
    }

    /// <summary>Runs until SIGTERM, or until standard input ends where that is the lifeline.</summary>
    public static async Task RunAsync(NodeOptions options, TimeProvider time)
    {
        DataDirectory.Prepare(options.DataDirectory);
        using var only = DataDirectory.Lock(options.DataDirectory);
        await Reaper.WaitForEarlierAsync(options.DataDirectory, time);
        var uids = Libc.IsRoot ? await UidRange.TakeAsync(options.DataDirectory, options.FirstUid, time) : null;
        var problem = await ProcessRuntime.FindProblemAsync(options.NodeProgram, options.NpmProgram, options.DataDirectory, uids?.First);
        var node = new NodeApp(options, time, problem, uids);
        await node.RunAsync();
    }

    private async Task RunAsync()
    {
        _reaper.Start();
        await _app.StartAsync();
        _servers.Reconcile();
        var stopping = _app.Lifetime.ApplicationStopping;
        var link = StartLink(stopping);
        Guid? nodeId = null;
        if (link is not null)
        {
            await Task.WhenAny(link.Registered, Task.Delay(RegistrationTimeout, _time, stopping));
            nodeId = link.Registered.IsCompletedSuccessfully ? await link.Registered : null;
        }

        await SayReadyAsync(nodeId);
        if (_options.Lifeline)
        {
            _ = StopWithInputAsync();
        }

        // Children end before the server does, so that whoever waits for one is told.
        stopping.Register(() => _servers.DrainAsync().GetAwaiter().GetResult());
        await _app.WaitForShutdownAsync();
        if (link is not null)
        {
            await link.SendFinalHeartbeatAsync(new HeartbeatRequest(ApiUrl(), Status(), _servers.All.Select(Ended).ToArray()));
            link.Dispose();
        }

        _reaper.Dispose();
        _tempLinks.Dispose();
    }

    private static ServerStatus Ended(ServerStatus server) => server.State is ServerStates.Running or ServerStates.Degraded
        ? server with { State = ServerStates.Degraded, ErrorCode = NodeErrors.NodeStopped, Error = "The node was stopped." }
        : server;

    private static void EndLeftovers(ProcessGroups groups, UidRange? uids, ILogger log)
    {
        var left = groups.KillLeftovers();
        if (uids is not null)
        {
            var escaped = ProcFs.ProcessesOf(uids.First, uids.Last);
            escaped.ForEach(process => Libc.Signal(process, Libc.SigKill));
            left += escaped.Count;
        }

        if (left > 0)
        {
            log.LogWarning("{Count} process groups of an earlier run were ended.", left);
        }
    }

    private static string Isolation => Libc.IsRoot ? "user" : "none";

    private string[] Runtimes => _problem is null ? ["process"] : [];

    private NodeStatus Status() => new(
        NodeContract.CapabilityVersion, Handshake.OwnVersion, Isolation, Runtimes, _servers.Count, _launcher.Children,
        (long)_time.GetElapsedTime(_started).TotalSeconds, _problem);

    private WeirLink? StartLink(CancellationToken stopping)
    {
        if (_options.WeirUrl is not { } weir)
        {
            return null;
        }

        var url = ApiUrl();
        var registration = new RegisterRequest(
            _options.Token ?? "", url, _key.Text, NodeContract.CapabilityVersion, Isolation, Runtimes, _options.Name, _options.Region);
        var link = new WeirLink(
            weir, _options.DataDirectory, registration, () => new HeartbeatRequest(url, Status(), _servers.All), _servers.LeaveAsync,
            Backoff.Chance, _time, _app.Logger);
        _servers.Changed = link.TriggerNow;
        _ = link.RunAsync(stopping);
        return link;
    }

    private string ApiUrl()
    {
        if (_options.Advertise is { } advertised)
        {
            return advertised.ToString().TrimEnd('/');
        }

        var addresses = _app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>();
        return addresses.Addresses.First().TrimEnd('/');
    }

    private async Task SayReadyAsync(Guid? nodeId)
    {
        var line = JsonSerializer.Serialize(new ReadyLine(ApiUrl(), nodeId), ReadyJson.Default.ReadyLine);
        await Console.Out.WriteLineAsync(line);
        await Console.Out.FlushAsync();
    }

    private async Task StopWithInputAsync()
    {
        await using var input = Console.OpenStandardInput();
        await input.CopyToAsync(Stream.Null);
        _app.Lifetime.StopApplication();
    }
}

/// <summary>The one line on standard output, when the API answers.</summary>
/// <param name="NodeId">Null where Weir is not known or has not answered yet.</param>
internal sealed record ReadyLine(string Url, Guid? NodeId);

[System.Text.Json.Serialization.JsonSourceGenerationOptions(
    PropertyNamingPolicy = System.Text.Json.Serialization.JsonKnownNamingPolicy.CamelCase)]
[System.Text.Json.Serialization.JsonSerializable(typeof(ReadyLine))]
internal sealed partial class ReadyJson : System.Text.Json.Serialization.JsonSerializerContext;
