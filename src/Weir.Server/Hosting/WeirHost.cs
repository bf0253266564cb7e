using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.AI;
using Weir.Audit;
using Weir.Chat;
using Weir.Chat.Aggregation;
using Weir.Chat.Gathering;
using Weir.Chat.Offline;
using Weir.Configuration;
using Weir.Definitions;
using Weir.Egress;
using Weir.Errors;
using Weir.Gateway;
using Weir.Gateway.Admission;
using Weir.Gateway.AgentTools;
using Weir.Gateway.Calls;
using Weir.Gateway.Endpoint;
using Weir.Gateway.Http;
using Weir.Gateway.Limits;
using Weir.Gateway.Parking;
using Weir.Gateway.ServerRequests;
using Weir.Gateway.Watching;
using Weir.Identity;
using Weir.Input;
using Weir.Keys;
using Weir.Knowledge;
using Weir.Knowledge.Store;
using Weir.Knowledge.Vectors;
using Weir.Limits;
using Weir.Models;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Replicas;
using Weir.Rest;
using Weir.Server.Auth;
using Weir.Server.Chat;
using Weir.Server.Docs;
using Weir.Server.Health;
using Weir.Server.Home;
using Weir.Server.Http;
using Weir.Server.Knowledge;
using Weir.Server.Mcp;
using Weir.Server.Nodes;
using Weir.Server.Rest;
using Weir.Telemetry;
using Weir.Upstream;

namespace Weir.Server.Hosting;

/// <summary>Puts one replica together. The same for <c>serve</c>, <c>up</c>, the tests and the benchmarks.</summary>
internal static class WeirHost
{
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(10);

    /// <param name="time">The tests' clock, or the system's.</param>
    public static WebApplication Build(WeirConfig config, TimeProvider? time = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        // Settings come from one place, WeirConfig: an appsettings.json or a Kestrel__… variable could add a listener that it has not
        // checked.
        builder.Configuration.Sources.Clear();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // Weir's own limits are smaller and answer first (BodyLimits). Kestrel then discards the rest of a body up to this size, for
            // five seconds at most, so that a client that is still sending gets to see the answer instead of a broken connection.
            kestrel.Limits.MaxRequestBodySize = Math.Max(config.Mcp.MaxBodyBytes, config.Knowledge.MaxDocumentBytes) * 4L;
            // What Kestrel reads ahead of Weir: no more than Weir reads of a caller who is not known.
            kestrel.Limits.MaxRequestBufferSize = BodyLimits.Unknown;
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(10));
        });
        builder.Logging.ToStandardError();
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        // For what is in flight (LastCalls); open streams end at once.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownTimeout);
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.Encoder = PlainJson.Encoder);
        AddServices(builder.Services, config, time ?? TimeProvider.System);

        var app = builder.Build();
        app.Urls.Add(config.Http.Listen.GetLeftPart(UriPartial.Authority));
        app.UseTrustedProxies(config.Http);
        app.UseMiddleware<CallerChecks>();
        app.UseMiddleware<ErrorResponses>();
        app.UseCors();
        app.MapHealth();
        app.MapHome();
        app.MapDocs();
        app.MapAuth();
        app.MapMcp();
        app.MapNodes();
        app.MapChat();
        app.MapKnowledge();
        app.MapRest();
        Connect(app.Services);
        return app;
    }

    private static void AddServices(IServiceCollection services, WeirConfig config, TimeProvider time)
    {
        var replicaId = Guid.CreateVersion7(time.GetUtcNow());
        services.AddSingleton(config);
        services.AddSingleton(config.Http);
        services.AddSingleton(new DocsLinks(config.Http.PublicAddress));
        services.AddSingleton(time);
        services.AddSingleton(_ => Keyring.LoadOrCreate(config.KeyringPath));
        services.AddSingleton(_ => Databases.Open(config.Database));
        services.AddSingleton(_ => new CallerErrors(config.Limits.ErrorsPerMinute, time));
        services.AddSingleton(s => new UserSession(s.GetRequiredService<Databases>().Gateway, s.GetRequiredService<CallerErrors>()));
        services.AddSingleton(_ => new EgressHttp(new EgressPolicy(config.Egress.Allow)));

        services.AddSingleton(s => new Replica(
            replicaId, () => InternalUrl(config.Http, s), s.GetRequiredService<Databases>(), s.GetRequiredService<Keyring>(),
            s.GetRequiredService<IHostApplicationLifetime>(), time, s.GetRequiredService<ILogger<Replica>>()));
        services.AddSingleton<LastCalls>();
        services.AddSingleton<ReplicaDirectory>();
        services.AddSingleton(s => new ReplicaForwarder(
            replicaId, s.GetRequiredService<ReplicaDirectory>(), s.GetRequiredService<EgressHttp>(), s.GetRequiredService<Keyring>(),
            s.GetRequiredService<IHostApplicationLifetime>(), time));
        services.AddHostedService(s => s.GetRequiredService<Replica>());
        AddHosted<ChangeListener>(services);
        AddHosted<SecurityEvents>(services);
        AddHosted<Maintenance>(services);

        services.AddSingleton<Readiness>();
        services.AddSingleton<UnknownBodies>();
        services.AddSingleton<DocsPages>();
        services.AddSingleton<DocsConcurrencyLimit>();
        services.AddSingleton(_ => CallerBytesOf(config));
        services.AddSingleton<Identities>();
        services.AddSingleton(s => new PersonTokens(
            config.Auth, s.GetRequiredService<Keyring>(), SigningKeysOf(config.Auth, s),
            s.GetRequiredService<Identities>().UserAsync, time));
        services.AddSingleton(config.Auth);
        services.AddSingleton<UnverifiedCallers>();
        services.AddSingleton<SignInRefusals>();
        services.AddSingleton<LoginQueries>();
        services.AddSingleton<Logins>();
        services.AddCors(cors => cors.AddDefaultPolicy(policy => policy
            .WithOrigins([.. config.Http.AllowedOrigins]).AllowAnyHeader().AllowAnyMethod()
            // What an MCP client, or supabase-js, in a page must read.
            .WithExposedHeaders(
            "Mcp-Session-Id", "WWW-Authenticate", "Content-Range", "Content-Profile", "Preference-Applied", "Retry-After")));

        AddNodes(services, replicaId, time);
        AddGateway(services, config, replicaId, time);
        AddKnowledge(services, config.Knowledge, time);
        AddChat(services, config, replicaId, time);
        AddRest(services, config);
    }

    /// <summary>
    /// One caller may always send two bodies of the largest kind; there is room for four callers who hold all that they may.
    /// </summary>
    private static CallerBytes CallerBytesOf(WeirConfig config)
    {
        var body = Math.Max(BodyLimits.Heartbeat, Math.Max(config.Mcp.MaxBodyBytes, config.Knowledge.MaxDocumentBytes));
        var perCaller = Math.Max(config.Limits.HeldMegabytesPerOrganization * 1024L * 1024, body * 2L);
        return new CallerBytes(perCaller, perCaller * 4);
    }

    /// <summary>
    /// The address that others are told: configured, or what is really listened on, whose port may have been chosen by the system.
    /// </summary>
    private static string InternalUrl(HttpConfig http, IServiceProvider services) =>
        (http.InternalUrl
            ?? (services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() is { } bound
                ? new Uri(bound) : http.Listen))
        .GetLeftPart(UriPartial.Authority);

    private static void AddNodes(IServiceCollection services, Guid replicaId, TimeProvider time)
    {
        services.AddSingleton<NodesQueries>();
        services.AddSingleton<NodeRegistry>();
        AddHosted<NodeDirectory>(services);
        services.AddSingleton(s => new NodeClient(s.GetRequiredService<EgressHttp>().Operator, time));
        services.AddSingleton<ClosedNodes>();
        services.AddSingleton(s => new OperationsWorker(
            s.GetRequiredService<NodesQueries>(), s.GetRequiredService<NodeClient>(), s.GetRequiredService<Keyring>(), HandshakeOf(s),
            replicaId,
            // Jitter only: nothing secret comes of it.
            () => System.Security.Cryptography.RandomNumberGenerator.GetInt32(1000) / 1000.0, time,
            s.GetRequiredService<ILogger<OperationsWorker>>()));
        services.AddHostedService(s => s.GetRequiredService<OperationsWorker>());
    }

    /// <summary>A remote server runs when it opens a session and lists what it has.</summary>
    private static RemoteHandshake HandshakeOf(IServiceProvider services) => (server, listing, ct) =>
        services.GetRequiredService<DefinitionRefresh>().ProveAsync(
            new UpstreamTarget(server.InstanceId, server.Name, server.Endpoint, NodeKey: null) { ChargedTo = server.OrganizationId },
            listing, ct);

    private static void AddGateway(IServiceCollection services, WeirConfig config, Guid replicaId, TimeProvider time)
    {
        // One message of a server that is being handled, and as much that waits.
        services.AddSingleton(_ => new ByteBudget(
            config.Mcp.MaxResponseBytes * 2L, config.Limits.HeldMegabytesPerOrganization * 1024L * 1024,
            config.Limits.HeldBytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)));
        services.AddSingleton(s => new UpstreamClient(
            new UpstreamTransport(
                s.GetRequiredService<EgressHttp>(), config.Mcp.MaxResponseBytes, time, s.GetRequiredService<ByteBudget>()), time));
        services.AddSingleton<UpstreamSessions>();
        services.AddHostedService<UpstreamSweep>();
        services.AddSingleton<DefinitionQueries>();
        services.AddSingleton(s => new DefinitionRefresh(
            s.GetRequiredService<DefinitionQueries>(), s.GetRequiredService<UpstreamClient>(), s.GetRequiredService<NodeDirectory>().KeyOf,
            replicaId, time,
            s.GetRequiredService<ILogger<DefinitionRefresh>>()));
        services.AddHostedService(s => s.GetRequiredService<DefinitionRefresh>());

        services.AddSingleton(s => new AdmissionQueries(s.GetRequiredService<Databases>(), replicaId));
        services.AddSingleton<AgentToolsQueries>();
        services.AddSingleton<WatchQueries>();
        services.AddSingleton<KeyQueries>();
        services.AddSingleton(
            s => new AgentToolsReadLimiter(s.GetRequiredService<AgentToolsQueries>().OrganizationOfAsync, config.Database.PoolSize));
        services.AddSingleton(s => new AgentToolsCache(
            s.GetRequiredService<AgentToolsQueries>(), s.GetRequiredService<AgentToolsReadLimiter>(), config.Mcp.MaxNameLength));
        services.AddSingleton(s => new DefinitionCache(s.GetRequiredService<AgentToolsQueries>().DefinitionsAsync));
        services.AddSingleton(_ => new CallConcurrencyLimiter(config.Limits.OpenPerAgent));
        services.AddSingleton<SessionTokens>();
        services.AddSingleton<SessionStates>();
        services.AddSingleton(_ => new ClientResponses(replicaId, time));
        services.AddSingleton<CallTargets>();
        services.AddSingleton(s => new AdmissionQueue(
            s.GetRequiredService<AdmissionQueries>().AdmitAsync, s.GetRequiredService<AdmissionQueries>().RecordDenialAsync,
            config.Admission,
            TimeSpan.FromSeconds(config.Database.CommandTimeoutSeconds), time,
            // Where there is no such row, nothing is written.
            call =>
                s.GetRequiredService<CompletionQueue>()
                    .Add(new Completion(call.Key, Outcomes.Cancelled, ErrorCode.Unavailable.Sqlstate(), 0, 0, null, null))));
        services.AddSingleton(s => new CompletionQueue(
            s.GetRequiredService<AdmissionQueries>().CompleteAsync, config.Completion.MaxWaiting, time,
            s.GetRequiredService<ILogger<CompletionQueue>>()));
        services.AddSingleton(s =>
            new Switches(s.GetRequiredService<AdmissionQueries>().SwitchedOffAsync, time, s.GetRequiredService<ILogger<Switches>>()));
        services.AddHostedService(s => s.GetRequiredService<Switches>());
        services.AddSingleton(_ => new CallRateLimiter(config.Limits));
        services.AddSingleton(_ => new ServerResilience(config.Mcp.MaxCallsPerServer, time));
        services.AddSingleton(s => new GovernedCaller(
            s.GetRequiredService<CallTargets>(), s.GetRequiredService<CallConcurrencyLimiter>(), s.GetRequiredService<CallRateLimiter>(),
            s.GetRequiredService<AdmissionQueue>(), s.GetRequiredService<CompletionQueue>(), s.GetRequiredService<Switches>(),
            s.GetRequiredService<UpstreamSessions>(), s.GetRequiredService<UpstreamClient>(), s.GetRequiredService<ServerResilience>(),
            s.GetRequiredService<InstanceWatches>(), s.GetRequiredService<NodeDirectory>().KeyOf,
            s.GetRequiredService<ClosedNodes>().Suspect,
            RefreshSoon(s), new CallLimits(
                TimeSpan.FromSeconds(config.Mcp.CallTimeoutSeconds), TimeSpan.FromSeconds(config.Mcp.MaxCallSeconds),
                s.GetRequiredService<LastCalls>().Over),
            s.GetRequiredService<ByteBudget>(), time, s.GetRequiredService<ILogger<GovernedCaller>>()));
        var inputTimeout = TimeSpan.FromSeconds(config.Mcp.InputTimeoutSeconds);
        services.AddSingleton(
            s => new ParkedCalls(s.GetRequiredService<GovernedCaller>(), s.GetRequiredService<Keyring>(), replicaId, inputTimeout, time));
        services.AddHostedService(s => s.GetRequiredService<ParkedCalls>());
        services.AddSingleton(s => new InstanceWatches(
            s.GetRequiredService<UpstreamClient>(), s.GetRequiredService<UpstreamSessions>(), RefreshSoon(s), time,
            s.GetRequiredService<ILogger<InstanceWatches>>()));
        services.AddSingleton(s => new InstanceResets(
            s.GetRequiredService<WatchQueries>(), s.GetRequiredService<UpstreamSessions>(), s.GetRequiredService<InstanceWatches>(),
            s.GetRequiredService<NodeDirectory>().KeyOf, s.GetRequiredService<NodeDirectory>().Wake, time,
            s.GetRequiredService<ILogger<InstanceResets>>()));
        services.AddHostedService(s => s.GetRequiredService<InstanceResets>());
        services.AddSingleton(s => new ServerWatch(
            s.GetRequiredService<InstanceWatches>(), s.GetRequiredService<WatchQueries>(), s.GetRequiredService<NodeDirectory>().KeyOf));
        services.AddSingleton<ChangeStreams>();
        services.AddSingleton(s => ActivatorUtilities.CreateInstance<McpLists>(s, config.Mcp.PageSize));
        services.AddSingleton(s => new ToolSearch(
            s.GetRequiredService<AgentToolsQueries>(), s.GetRequiredService<AgentToolsReadLimiter>(),
            s.GetRequiredService<DefinitionCache>(), config.Mcp));
        services.AddSingleton(s => ActivatorUtilities.CreateInstance<McpCalls>(s, config.Mcp.MaxDepth, inputTimeout));
        services.AddSingleton<McpSubscriptions>();
        services.AddSingleton<McpErrors>();
        services.AddSingleton(s => new RefusalRecord(
            refused => s.GetRequiredService<AdmissionQueries>().RecordDenialsAsync([.. refused.Select(r => (r.Request, r.Reason))]),
            s.GetRequiredService<ILogger<RefusalRecord>>()));
        services.AddSingleton<RefusedRequests>();
        services.AddSingleton<SeenKeys>();
        services.AddSingleton<McpMethods>();
        services.AddSingleton(s => ActivatorUtilities.CreateInstance<McpHandler>(s, config.Mcp));
    }

    /// <summary>A server says that what it announces has changed.</summary>
    private static Func<Guid, Task> RefreshSoon(IServiceProvider services) =>
        instance => services.GetRequiredService<DefinitionRefresh>().RefreshSoonAsync(instance, CancellationToken.None);

    private static void AddChat(IServiceCollection services, WeirConfig config, Guid replicaId, TimeProvider time)
    {
        services.AddSingleton(config.Chat);
        AddModels(services, config, time);
        services.AddSingleton<ModelLoop>();
        services.AddSingleton(s => new ChatQueries(s.GetRequiredService<UserSession>(), s.GetRequiredService<Databases>(), replicaId));
        services.AddSingleton<TurnLimits>();
        services.AddSingleton<TokenCounter>();
        services.AddSingleton<ServerContext>();
        services.AddSingleton(s => ActivatorUtilities.CreateInstance<TurnSources>(s, config.Database));
        services.AddSingleton<TurnPrompt>();
        services.AddSingleton<TurnAnswers>();
        services.AddSingleton(s => ActivatorUtilities.CreateInstance<ChatTurns>(s, config.Database));
    }

    private static void AddModels(IServiceCollection services, WeirConfig config, TimeProvider time)
    {
        services.AddSingleton(config.Models);
        services.AddSingleton<ModelQueries>();
        services.AddSingleton(s => new ModelClients(
            config.Models, s.GetRequiredService<EgressHttp>(), new OfflineModel(), Environment.GetEnvironmentVariable, time));
        services.AddSingleton<ModelRouter>();
    }

    private static void AddKnowledge(IServiceCollection services, KnowledgeConfig config, TimeProvider time)
    {
        services.AddSingleton(config);
        services.AddSingleton<KnowledgeQueries>();
        services.AddSingleton(
            s => new PineconeClient(config.Pinecone, s.GetRequiredService<EgressHttp>(), Environment.GetEnvironmentVariable, time));
        services.AddSingleton(
            s => new VectorCache(s.GetRequiredService<KnowledgeQueries>(), config.VectorCacheMegabytes * 1024L * 1024, time));
        services.AddSingleton(s => new VectorBackends(
            new ExactVectors(s.GetRequiredService<VectorCache>()), new PgVectors(s.GetRequiredService<KnowledgeQueries>()),
            new PineconeVectors(s.GetRequiredService<PineconeClient>())));
        if (config.Embeddings.Url is not null)
        {
            services.AddSingleton<IEmbeddingGenerator<string, Embedding<float>>>(s => new OpenAiEmbeddings(
                config.Embeddings, s.GetRequiredService<EgressHttp>(), Environment.GetEnvironmentVariable, time));
        }

        services.AddSingleton(new DocumentLimits(config, time));
        services.AddSingleton(s => new KnowledgeSearch(
            s.GetRequiredService<KnowledgeQueries>(), s.GetRequiredService<VectorBackends>(),
            s.GetService<IEmbeddingGenerator<string, Embedding<float>>>(), config, time));
        services.AddSingleton(s => new EmbeddingWorker(
            s.GetRequiredService<KnowledgeQueries>(), s.GetService<IEmbeddingGenerator<string, Embedding<float>>>(),
            s.GetRequiredService<PineconeClient>(), config, time,
            s.GetRequiredService<ILogger<EmbeddingWorker>>()));
        services.AddHostedService(s => s.GetRequiredService<EmbeddingWorker>());
        services.AddSingleton(
            s => new Documents(s.GetRequiredService<KnowledgeQueries>(), config, s.GetRequiredService<EmbeddingWorker>().Wake));
    }

    private static void AddRest(IServiceCollection services, WeirConfig config)
    {
        services.AddSingleton(config.Rest);
        services.AddSingleton(s => new RestQueries(
            s.GetRequiredService<Databases>(), s.GetRequiredService<UserSession>(), config.Rest, s.GetRequiredService<CallerErrors>(),
            s.GetRequiredService<SeenKeys>()));
        services.AddSingleton<PublishedApis>();
        services.AddSingleton(s => RestLimits.ShareOf(config.Rest, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<ServerLogs>();
        services.AddSingleton<RestApi>();
    }

    /// <summary>What hears of a change: kept catalogs are dropped, open streams look again, workers look for what there is to do.</summary>
    private static void Connect(IServiceProvider services)
    {
        services.GetRequiredService<ChangeListener>().Changed += organization =>
        {
            // Asked for only now: some of them read the keyring, which nothing may make or read before the host starts.
            services.GetRequiredService<AgentToolsCache>().Drop(organization);
            services.GetRequiredService<ChangeStreams>().Announce(organization);
            services.GetRequiredService<Switches>().Announce(organization);
            if (organization is null)
            {
                services.GetRequiredService<PublishedApis>().Drop();
            }

            services.GetRequiredService<OperationsWorker>().Wake();
            services.GetRequiredService<DefinitionRefresh>().Wake();
            services.GetRequiredService<InstanceResets>().Wake();
        };
    }

    private static SigningKeys? SigningKeysOf(AuthConfig config, IServiceProvider services)
    {
        if (config.JwksUrl is not { } url)
        {
            return null;
        }

        var egress = services.GetRequiredService<EgressHttp>();
        return new SigningKeys(
            async ct =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, url);
                using var response = await egress.Operator.SendAsync(request, ct);
                response.EnsureSuccessStatusCode();
                await response.Content.LoadIntoBufferAsync(SigningKeys.MaxBytes, ct);
                return TextInput.FromUtf8(await response.Content.ReadAsByteArrayAsync(ct))
                    ?? throw new FormatException("The document of the issuer's keys is not UTF-8.");
            },
            services.GetRequiredService<TimeProvider>());
    }

    private static void AddHosted<T>(IServiceCollection services)
        where T : class, IHostedService
    {
        services.AddSingleton<T>();
        services.AddHostedService(s => s.GetRequiredService<T>());
    }
}
